// What model calls cost, whatever becomes of them: the run's bill is the model's own.
import type { Service } from '../../embedded/services.js';
import { waitFor } from '../../embedded/processes.js';
import { createPool } from '../../db/pool.js';
import { ApiCaller, type TestService, calls, done, scriptOf, sinkAgent, startTestService } from '../support/service.js';
import { type Sink, startSink } from '../support/sink.js';

let service: TestService;
let api: ApiCaller;
let sink: Sink;
let worker: Service;

beforeAll(async () => {
  [service, sink] = await Promise.all([startTestService({ worker: false }), startSink()]);
  api = ApiCaller.of(service);
});
beforeEach(async () => {
  worker = await service.startWorker();
});
afterEach(() => worker.stop());
afterAll(async () => {
  await service?.stop();
  await sink?.close();
});

async function aRun(name: string, turns: Parameters<typeof scriptOf>[1]): Promise<string> {
  await service.model.putScript(scriptOf(name, turns));
  await api.putAgent(sinkAgent(name, sink.url));
  return (await api.startRun(name)).id;
}

/** The run's bill and the model's, side by side. */
async function bothBills(name: string, id: string) {
  const [{ usage, costUsd }, bill] = await Promise.all([api.run(id), service.model.bill(name)]);
  const ours = {
    inputTokens: usage.inputTokens,
    outputTokens: usage.outputTokens,
    cacheReadTokens: usage.cacheReadTokens,
    cacheWriteTokens: usage.cacheWriteTokens,
    calls: usage.modelCalls,
    costUsd: Number(costUsd).toFixed(7),
  };
  const theirs = {
    inputTokens: bill.usage.input_tokens,
    outputTokens: bill.usage.output_tokens,
    cacheReadTokens: bill.usage.cache_read_input_tokens,
    cacheWriteTokens: bill.usage.cache_creation_input_tokens,
    calls: bill.calls + bill.unfinished,
    costUsd: bill.costUsd.toFixed(7),
  };
  return { ours, theirs };
}

async function noted(id: string): Promise<void> {
  const pool = createPool(service.databaseUrl);
  const query = 'SELECT 1 FROM model_calls WHERE agent_run_id = $1 AND open_usage IS NOT NULL';
  await waitFor('the beginning of the reply to be noted', async () => (await pool.query(query, [id])).rowCount === 1);
  await pool.end();
}

const LONG = 'a text that is long enough to be sent in several pieces';

test('a worker killed while a reply comes in: the lost attempt is on the bill and in the log', async () => {
  await service.model.holdAt({ name: 'lost', script: 'lost', turn: 1, at: 'afterFirstDelta' });
  const id = await aRun('lost', [calls(['look', { what: 'a' }]), done(LONG)]);
  await service.model.waitForHold('lost');
  await noted(id);
  await worker.kill();
  worker = await service.startWorker();
  expect(await api.ended(id)).toMatchObject({ status: 'completed', usage: { modelCalls: 3 } });
  const { ours, theirs } = await bothBills('lost', id);
  expect(ours).toEqual(theirs);
  const lost = (await api.events(id)).filter((e) => e.type === 'model.failed');
  expect(lost.map((e) => [e.step, e.data['type'], e.data['attempt']])).toEqual([[2, 'AttemptLost', 1]]);
  expect(Number(lost[0]?.data['costUsd'])).toBeGreaterThan(0);
});

test('a worker that stands still in a model call and wakes with its reply: the other reply stands, both are on the bill', async () => {
  await service.model.holdAt({ name: 'froze', script: 'froze', turn: 0, at: 'beforeStop' });
  const id = await aRun('froze', [done(LONG)]);
  await service.model.waitForHold('froze');
  await noted(id);
  process.kill(worker.pid, 'SIGSTOP');
  const other = await service.startWorker();
  expect(await api.ended(id, 90_000)).toMatchObject({ status: 'completed', steps: 1 });
  await service.model.release('froze');
  process.kill(worker.pid, 'SIGCONT');
  await waitFor('the reply of the first to be on the bill', async () => {
    const { ours, theirs } = await bothBills('froze', id);
    return theirs.calls === 2 && JSON.stringify(ours) === JSON.stringify(theirs);
  });
  expect(await api.run(id)).toMatchObject({ status: 'completed', steps: 1, usage: { modelCalls: 2 } });
  expect((await api.events(id)).filter((e) => e.type === 'model.replied')).toHaveLength(1);
  await other.stop();
}, 180_000);

test('a run that is cancelled before another attempt could be made is billed for the lost one', async () => {
  await service.model.holdAt({ name: 'gone', script: 'gone', turn: 0, at: 'afterFirstDelta' });
  const id = await aRun('gone', [done(LONG)]);
  await service.model.waitForHold('gone');
  await noted(id);
  await worker.kill();
  await api.ok('POST', `/v1/runs/${id}/cancel`);
  worker = await service.startWorker();
  expect(await api.ended(id)).toMatchObject({ status: 'cancelled' });
  const { ours, theirs } = await bothBills('gone', id);
  expect(ours).toEqual(theirs);
});

test.each([
  ['is cut', { kind: 'cut', afterEvents: 3 }],
  ['is cut in the middle of its arguments', { kind: 'cut', afterEvents: 'toolInput' }],
  ['ends without its end', { kind: 'noStop' }],
  ['ends in garbage', { kind: 'garbage', afterEvents: 4 }],
  ['ends in an error', { kind: 'errorEvent', afterEvents: 4 }],
] as const)(
  'a reply that %s twice: one reply is stored, and all three attempts are on the bill',
  async (what, fault) => {
    const name = `broken-${what.replaceAll(' ', '-')}`;
    const id = await aRun(name, [
      { reply: [{ text: LONG }, { tool: 'look', input: { what: LONG } }], fault: { ...fault, times: 2 } },
      done(),
    ]);
    expect(await api.ended(id)).toMatchObject({ status: 'completed', steps: 2, usage: { modelCalls: 4 } });
    const { ours, theirs } = await bothBills(name, id);
    expect(ours).toEqual(theirs);
    const log = await api.events(id);
    expect(log.filter((e) => e.type === 'model.replied')).toHaveLength(2);
    const failed = log.filter((e) => e.type === 'model.failed');
    expect(failed.map((e) => Object.keys(e.data).includes('usage'))).toEqual([true, true]);
    expect(sink.requests.filter((r) => r.key.startsWith(id))).toHaveLength(1);
  },
);

test('a reply that is no message three times in a row stops the run, whatever else had failed before', async () => {
  const id = await aRun('never-valid', [
    { reply: [{ text: LONG }], fault: { kind: 'garbage', afterEvents: 4, times: 'always' } },
  ]);
  expect(await api.ended(id)).toMatchObject({
    status: 'stopped',
    stopReason: 'model_unavailable',
    usage: { modelCalls: 3 },
  });
  const { ours, theirs } = await bothBills('never-valid', id);
  expect(ours).toEqual(theirs);
});

test('what failed attempts cost counts against the limit of the run', async () => {
  await service.model.putScript(
    scriptOf('dear', [
      {
        reply: [{ text: LONG }, { tool: 'look', input: { what: 'x' } }],
        usage: { inputTokens: 1000, outputTokens: 10, cacheReadTokens: 0, cacheWriteTokens: 0 },
        fault: { kind: 'cut', afterEvents: 3, times: 2 },
      },
      done(),
    ]),
  );
  await api.putAgent(sinkAgent('dear', sink.url));
  const { id } = await api.startRun('dear', 'go', { limits: { maxTokens: 2500 } });
  expect(await api.ended(id)).toMatchObject({ status: 'stopped', stopReason: 'limit_tokens', steps: 1 });
});
