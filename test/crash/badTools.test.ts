// Tools that never return, return far too much, or block their whole worker: their run hears of it, other runs do not.
import path from 'node:path';
import type { Service } from '../../embedded/services.js';
import { ApiCaller, type TestService, calls, done, scriptOf, sinkAgent, startTestService } from '../support/service.js';
import { type Sink, startSink } from '../support/sink.js';

jest.setTimeout(240_000);

let service: TestService;
let api: ApiCaller;
let sink: Sink;
let worker: Service;
const ends: (NodeJS.Signals | null)[] = [];
const over = new AbortController();

beforeAll(async () => {
  const env = {
    LONGHAUL_TOOLS: path.join(__dirname, '..', 'support', 'badTools.ts'),
    LONGHAUL_BLOCKED_SECONDS: '5',
  };
  [service, sink] = await Promise.all([startTestService({ worker: false, env }), startSink()]);
  api = ApiCaller.of(service);
  worker = await service.startWorker();
  void keepAWorker();
});
afterAll(async () => {
  over.abort();
  await worker?.stop();
  await service?.stop();
  await sink?.close();
});

/** What a supervisor does. */
async function keepAWorker(): Promise<void> {
  for (;;) {
    const { signal } = await worker.ended;
    if (over.signal.aborted) return;
    ends.push(signal);
    worker = await service.startWorker();
  }
}

async function start(name: string, turns: Parameters<typeof scriptOf>[1], tools: string[]): Promise<string> {
  await service.model.putScript(scriptOf(name, turns));
  const agent = sinkAgent(name, sink.url) as unknown as { tools: unknown[] };
  await api.putAgent({ ...agent, name, tools: [...agent.tools, ...tools] });
  return (await api.startRun(name)).id;
}

test('a tool that never returns is given up after its time; of an irreversible one nobody knows, and the model is told', async () => {
  const told = { toolResult: { tool: 'hang', contains: 'did not return within 1 s', isError: true } };
  const id = await start('hangs', [calls(['hang', {}]), { ...done('I see'), expect: told }], ['hang']);
  expect(await api.ended(id, 120_000)).toMatchObject({ output: { text: 'I see' }, unknownCalls: [{ tool: 'hang' }] });
});

test.each<[string, string, Record<string, unknown>, string]>([
  ['of a module', 'flood', {}, 'has 104857600 bytes'],
  ['over HTTP', 'look', { what: 'x' }, 'bytes'],
])('100 MB from a tool %s are an error for the model, and its worker goes on', async (_, tool, input, says) => {
  if (tool === 'look') sink.answerNext('/look', 200, 'x'.repeat(100 * 1024 * 1024));
  const told = { toolResult: { tool, contains: says, isError: true } };
  const id = await start(`much-${tool}`, [calls([tool, input]), { ...done('too much'), expect: told }], ['flood']);
  expect(await api.ended(id, 120_000)).toMatchObject({ status: 'completed', output: { text: 'too much' } });
  expect(ends).toEqual([]);
});

test('a tool that blocks its worker: the worker ends itself, after the third time the run stops, and other runs complete', async () => {
  await service.model.holdAt({ name: 'other', script: 'beside-spin', turn: 0, at: 'beforeStop' });
  const other = await start('beside-spin', [calls(['charge', { what: 'o' }]), done()], []);
  await service.model.waitForHold('other');
  const id = await start('spins', [calls(['spin', {}]), done('not again')], ['spin']);
  const stopped = await api.ended(id, 200_000);
  expect(stopped).toMatchObject({ status: 'stopped', stopReason: 'quarantined' });
  expect(ends).toEqual(['SIGKILL', 'SIGKILL', 'SIGKILL']);
  expect(service.log.filter((line) => line.includes('the process was blocked for 5 s'))).toHaveLength(3);
  await service.model.release('other');
  expect(await api.ended(other, 120_000)).toMatchObject({ status: 'completed' });
  expect(sink.requests.filter((r) => r.key.startsWith(other))).toHaveLength(1);
});
