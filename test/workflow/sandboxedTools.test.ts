// shell and javascript in a service: used by a run, and not offered where their sandbox does not hold.
import { waitFor } from '../../embedded/processes.js';
import type { Service } from '../../embedded/services.js';
import { ApiCaller, type TestService, calls, done, scriptOf, startTestService } from '../support/service.js';
import { describeShell } from '../tools/sandboxed.js';

const CANARY = 'canary-5d1c77';
let service: TestService;
let api: ApiCaller;
let worker: Service;

interface Listed {
  name: string;
  available: boolean;
  refusals?: { host: string; reason: string }[];
}
const listed = async (name: string): Promise<Listed | undefined> =>
  (await api.ok<{ data: Listed[] }>('GET', '/v1/tools')).data.find((tool) => tool.name === name);

const agent = (name: string, tools: unknown[]) => ({
  name,
  model: `scripted/${name}`,
  instructions: 'You are a test.',
  tools,
});

async function aRun(name: string, tools: unknown[], turns: Parameters<typeof scriptOf>[1]): Promise<string> {
  await service.model.putScript(scriptOf(name, turns));
  await api.putAgent(agent(name, tools));
  return (await api.startRun(name)).id;
}

async function resultsOf(id: string): Promise<string> {
  await api.runWith(id, 'completed', (run) => run.status === 'completed');
  return JSON.stringify(await api.ok('GET', `/v1/runs/${id}/steps/1`));
}

beforeAll(async () => {
  service = await startTestService({ worker: false });
  api = ApiCaller.of(service);
});
afterAll(() => service?.stop());

describe('a worker whose sandboxes are switched off', () => {
  beforeAll(async () => {
    worker = await service.startWorker({ LONGHAUL_SANDBOX: 'off' });
  });
  afterAll(() => worker.stop());

  test.each(['shell', 'javascript'])('does not offer %s, and says why', async (name) => {
    const tool = await waitFor(`a word about ${name}`, () => listed(name));
    expect(tool).toMatchObject({ available: false, refusals: [{ reason: 'switched off by LONGHAUL_SANDBOX' }] });
  });

  test.each(['shell', 'javascript'])('is why an agent that names %s is refused', async (name) => {
    await waitFor(`a word about ${name}`, () => listed(name));
    const { status, body } = await api.call('PUT', '/v1/agents/refused', agent('refused', [name]));
    expect(status).toBe(400);
    expect(JSON.stringify(body)).toContain(`no worker offers ${name}: on `);
    expect(JSON.stringify(body)).toContain('switched off by LONGHAUL_SANDBOX');
  });
});

describe('a worker whose sandboxes hold', () => {
  beforeAll(async () => {
    worker = await service.startWorker({ SHOP_TOKEN: CANARY });
  });
  afterAll(() => worker.stop());

  test('executes the JavaScript of a run', async () => {
    await waitFor('javascript', async () => ((await listed('javascript'))?.available ? true : undefined));
    const turns = [calls(['javascript', { code: 'input.a * 6', input: { a: 7 } }]), done()];
    expect(await resultsOf(await aRun('sandbox-js', ['javascript'], turns))).toContain('42');
  });

  describeShell('and that has bubblewrap', () => {
    test('gives the command of a run its own folder, and neither network nor environment nor the folder of another run', async () => {
      await waitFor('shell', async () => ((await listed('shell'))?.available ? true : undefined));
      const first = await aRun(
        'sandbox-first',
        ['shell'],
        [calls(['shell', { command: 'echo mine > a.txt' }]), done()],
      );
      await resultsOf(first);
      const { port } = new URL(service.apiUrl);
      const command = `ls -A; find / -name a.txt 2>/dev/null; env; cat /proc/[0-9]*/environ
        (exec 3<>/dev/tcp/127.0.0.1/${port}) 2>/dev/null && echo con''nected; echo ended-$((40+2))`;
      const shown = await resultsOf(await aRun('sandbox-second', ['shell'], [calls(['shell', { command }]), done()]));
      expect(shown).toContain('ended-42');
      expect(shown).toContain('HOME=/workspace');
      expect(shown).not.toContain('/a.txt');
      expect(shown).not.toContain('\\na.txt');
      expect(shown).not.toContain(CANARY);
      expect(shown).not.toContain('LONGHAUL_');
      expect(shown).not.toContain('connected');
    });

    test('holds to the limits that the agent file sets', async () => {
      const tools = [{ name: 'shell', timeout: '1s' }];
      const turns = [calls(['shell', { command: 'sleep 600' }]), done()];
      expect(await resultsOf(await aRun('sandbox-limits', tools, turns))).toContain('ended after 1 s, its time limit');
    });
  });
});

test('limits that cannot be are refused by field', async () => {
  const tools = [
    { name: 'shell', memory: '1TB' },
    { name: 'javascript', memori: '1MiB' },
  ];
  const { status, body } = await api.call('PUT', '/v1/agents/limits', agent('limits', tools));
  expect(status).toBe(400);
  const text = JSON.stringify(body);
  expect(text).toContain('a size such as 64KiB, 512MiB or 2GiB');
  expect(text).toContain('unknown field memori; did you mean memory?');
});
