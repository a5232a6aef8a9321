// The command against the product as it runs: agent, run, approval, a service that is restarted while it is watched.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Service } from '../../embedded/services.js';
import { type TestService, startTestService } from '../support/service.js';
import { type Typed, type } from './support.js';

let service: TestService;
let api: Service;
beforeAll(async () => {
  service = await startTestService({ api: false });
  api = await service.startApi();
  await service.model.putScript({
    name: 'notes',
    turns: [
      { reply: [{ text: 'I write it down.' }, { tool: 'workspace_write', input: { path: 'a.md', content: 'a' } }] },
      { reply: [{ text: 'It is written.' }] },
    ],
  });
  const file = path.join(service.dataDir, 'notes.yaml');
  writeFileSync(
    file,
    'name: notes\nmodel: scripted/notes\ninstructions: Write.\ntools: [workspace]\napprove: [{tool: workspace_write}]\n',
  );
  const { err } = await longhaul('agents', 'put', file);
  if (err !== '') throw new Error(err);
});
afterAll(() => service.stop());

const longhaul = (...words: string[]): Promise<Typed> =>
  type([...words, '--url', service.apiUrl, '--key', service.adminKey]);

async function theApprovalOf(runId: string): Promise<string> {
  for (;;) {
    const [approval] = (await longhaul('approvals', '--run', runId, '--json')).json();
    if (approval) return String(approval['id']);
  }
}

test('a run is started, waits, is approved and ends, all from the command line', async () => {
  const [run] = (await longhaul('run', 'notes', 'go', '--detach', '--json')).json();
  const id = String(run?.['id']);
  const watching = longhaul('watch', id);
  const approved = await longhaul('approve', await theApprovalOf(id), '--yes');
  expect(approved).toMatchObject({ code: 0, err: '' });

  const { code, out } = await watching;
  expect(code).toBe(0);
  expect(out).toContain('approval needed: workspace_write(');
  expect(out).toMatch(/workspace_write\(.*\) → succeeded/);
  expect(out).toMatch(/\ncompleted {2}2 steps {2}1 tool call .*\n\nIt is written\.\n$/);
  expect((await longhaul('steps', id)).out).toContain('workspace_write(path="a.md", content=…)');
  expect((await longhaul('list', '--agent', 'notes')).out).toContain(id);
});

test('an API that is killed and started again is watched on without gap or repeat', async () => {
  const [run] = (await longhaul('run', 'notes', 'go', '--detach', '--json')).json();
  const id = String(run?.['id']);
  const approval = await theApprovalOf(id);
  let watching: Promise<Typed> | undefined;
  await new Promise<string>((onOut) => {
    const words = ['watch', id, '--json', '--url', service.apiUrl, '--key', service.adminKey];
    watching = type(words, { onOut });
  });
  await api.kill();
  api = await service.startApi();
  await longhaul('approve', approval, '--yes');

  if (!watching) throw new Error('not watched');
  const { code, json } = await watching;
  expect(code).toBe(0);
  const numbers = json().flatMap((line) => (typeof line['seq'] === 'number' ? [line['seq']] : []));
  expect(numbers).toEqual(numbers.map((_, i) => i + 1));
  expect(json().at(-2)).toMatchObject({ type: 'run.completed' });
  expect(json().at(-1)).toMatchObject({ id, status: 'completed' });
});

test('a run that is cancelled ends the watching with exit code 4', async () => {
  const [run] = (await longhaul('run', 'notes', 'go', '--detach', '--json')).json();
  const id = String(run?.['id']);
  await theApprovalOf(id);
  const watching = longhaul('watch', id);
  expect((await longhaul('cancel', id, '--reason', 'not needed')).code).toBe(0);
  const { code, out } = await watching;
  expect(code).toBe(4);
  expect(out).toMatch(/run cancelled by key key_\w+: not needed/);
});
