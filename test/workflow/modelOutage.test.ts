// A provider that is away: one attempt at a time finds out when it is back, however many runs wait and whoever dies.
import type { Circuit } from '../../harness/limits/circuit.js';
import { findCircuit } from '../../db/modelCircuits.js';
import { type Pool, createPool } from '../../db/pool.js';
import { waitFor } from '../../embedded/processes.js';
import { ApiCaller, type TestService, calls, done, scriptOf, sinkAgent, startTestService } from '../support/service.js';
import { type Sink, startSink } from '../support/sink.js';

jest.setTimeout(180_000);

let service: TestService;
let api: ApiCaller;
let sink: Sink;
let pool: Pool;

beforeAll(async () => {
  [service, sink] = await Promise.all([startTestService({ worker: false }), startSink()]);
  api = ApiCaller.of(service);
  pool = createPool(service.databaseUrl);
});
afterAll(async () => {
  await pool?.end();
  await service?.stop();
  await sink?.close();
});

type Turn = Parameters<typeof scriptOf>[1][number];
const answered: Turn[] = [calls(['look', { what: 'a' }]), done()];
const faulted = (fault: object): Turn[] =>
  answered.map((turn) => ({ ...turn, fault: { times: 'always', ...fault } }) as Turn);

const circuitOf = (name: string): Promise<Circuit | undefined> =>
  findCircuit(pool, { provider: 'scripted', model: `scripted/${name}` });

const probesOf = async (name: string): Promise<number> => (await circuitOf(name))?.probes ?? 0;

/** Each run with an input of its own: the model knows conversations by how they begin. */
async function runsDuring(name: string, fault: object, count: number): Promise<string[]> {
  await service.model.putScript(scriptOf(name, faulted(fault)));
  await api.putAgent(sinkAgent(name, sink.url));
  const inputs = Array.from({ length: count }, (_, i) => `go ${i}`);
  return Promise.all(inputs.map(async (input) => (await api.startRun(name, input)).id));
}

const allWait = (ids: readonly string[]) => Promise.all(ids.map((id) => api.waiting(id, 'model')));

/** The outage goes on until so many more attempts were made; returns how many requests the model got meanwhile. */
async function requestsUntilProbes(name: string, more: number): Promise<{ requests: number; probes: number }> {
  const asked = async () => (await service.model.journal(name)).length;
  const [probesBefore, requestsBefore] = [await probesOf(name), await asked()];
  await waitFor(`${more} attempts`, async () => (await probesOf(name)) >= probesBefore + more, 90_000);
  // In this order: an attempt is counted before it is made.
  const requests = (await asked()) - requestsBefore;
  return { requests, probes: (await probesOf(name)) - probesBefore };
}

test('while many runs wait, the model gets the attempts of the breaker and no others, also after workers were killed', async () => {
  const name = 'outage';
  const [first, second] = await Promise.all([service.startWorker(), service.startWorker()]);
  const ids = await runsDuring(name, { kind: 'status', status: 529 }, 30);
  const waiting = await allWait(ids);
  expect(waiting[0]?.waiting).toMatchObject({ for: 'model', until: expect.any(String), reason: expect.any(String) });
  await waitFor('the circuit to open', async () => (await circuitOf(name))?.openedAt);

  const during = await requestsUntilProbes(name, 2);
  expect(during.requests).toBeLessThanOrEqual(during.probes + 1); // one may have been under way when counting began

  await Promise.all([first.kill(), second.kill()]);
  const third = await service.startWorker();
  const after = await requestsUntilProbes(name, 1);
  expect(after.requests).toBeLessThanOrEqual(after.probes + 1);

  // Their next looks are one after the other: they do not all come back at once.
  const looks = (await allWait(ids)).map((run) => Date.parse(run.waiting?.until ?? '')).toSorted((a, b) => a - b);
  expect(Math.min(...looks.slice(1).map((at, i) => at - (looks[i] as number)))).toBeGreaterThanOrEqual(20);

  await service.model.putScript(scriptOf(name, answered));
  const ended = await Promise.all(ids.map((id) => api.ended(id, 120_000)));
  expect(ended.filter((run) => run.status !== 'completed')).toEqual([]);
  const bill = await service.model.bill(name);
  expect({ repeated: bill.repeated, calls: bill.calls }).toEqual({ repeated: [], calls: 2 * ids.length });
  expect(await circuitOf(name)).toMatchObject({ openedAt: null, trips: 0, failedRuns: [] });
  await third.stop();
});

test('a worker killed in the one attempt: another is made, and the runs go on', async () => {
  const name = 'probe-dies';
  const worker = await service.startWorker();
  const ids = await runsDuring(name, { kind: 'status', status: 500 }, 5);
  await allWait(ids);
  await waitFor('the circuit to open', async () => (await circuitOf(name))?.openedAt);
  await service.model.putScript(scriptOf(name, answered));
  await service.model.holdAt({ name, script: name, turn: 0, at: 'before' });
  await service.model.waitForHold(name);
  expect(await circuitOf(name)).toMatchObject({ openedAt: expect.any(Number), probeBy: expect.any(String) });
  await worker.kill();
  const next = await service.startWorker();
  const ended = await Promise.all(ids.map((id) => api.ended(id, 90_000)));
  expect(ended.map((run) => run.status)).toEqual(ids.map(() => 'completed'));
  await next.stop();
});

test('a spend limit that one run meets holds for all: they say so, and go on once it was raised', async () => {
  const name = 'spent';
  const worker = await service.startWorker();
  const ids = await runsDuring(
    name,
    { kind: 'status', status: 429, code: 'enforced_spend_limit_reached', message: 'spent' },
    4,
  );
  const [run] = await allWait(ids);
  expect(run?.waiting?.reason).toContain('spent');
  const said = (await api.events(ids[0] as string)).filter(
    (e) => e.type === 'model.failed' || e.type === 'run.waiting',
  );
  expect(said).toHaveLength(1); // once, not at every try
  await service.model.putScript(scriptOf(name, answered));
  const ended = await Promise.all(ids.map((id) => api.ended(id)));
  expect(ended.map((r) => r.status)).toEqual(ids.map(() => 'completed'));
  await worker.stop();
});

test('a delay that the provider names is kept, by every run', async () => {
  const name = 'later';
  const worker = await service.startWorker();
  const [id = ''] = await runsDuring(name, { kind: 'status', status: 429, retryAfter: 300 }, 1);
  await api.waiting(id, 'model');
  const { id: other } = await api.startRun(name, 'another');
  await api.waiting(other, 'model');
  expect(await service.model.journal(name)).toHaveLength(1);
  const [failed] = (await api.events(id)).filter((e) => e.type === 'model.failed');
  expect(Date.parse(String(failed?.data['nextTryAt'])) - Date.parse(failed?.at ?? '')).toBeGreaterThan(290_000);
  expect((await api.events(other)).map((e) => e.type)).toEqual(['run.created', 'message.queued', 'run.waiting']);
  for (const run of [id, other]) await api.ok('POST', `/v1/runs/${run}/cancel`);
  expect(await api.ended(other)).toMatchObject({ status: 'cancelled', usage: { modelCalls: 0 } });
  await worker.stop();
});
