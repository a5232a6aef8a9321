// Fifty runs on three workers use up what they share, while all workers are killed in the middle of calls. What the
// provider and the tools' service have counted says whether a limit was overshot.
import { waitFor } from '../../embedded/processes.js';
import type { Service } from '../../embedded/services.js';
import { ApiCaller, type TestService, calls, done, scriptOf, sinkAgent, startTestService } from '../support/service.js';
import { type Sink, startSink } from '../support/sink.js';

const RUNS = 50;

let service: TestService;
let api: ApiCaller;
let sink: Sink;
let workers: Service[];

const threeWorkers = () => Promise.all([1, 2, 3].map(() => service.startWorker()));

beforeAll(async () => {
  [service, sink] = await Promise.all([startTestService({ worker: false }), startSink()]);
  api = ApiCaller.of(service);
  workers = await threeWorkers();
});
afterAll(async () => {
  await Promise.all((workers ?? []).map((worker) => worker.stop()));
  await service?.stop();
  await sink?.close();
});

/** Whoever held the call under way, it is dead. */
async function killAll(): Promise<void> {
  await Promise.all(workers.map((worker) => worker.kill()));
  workers = await threeWorkers();
}

/** All workers are killed when the next call of this tool has reached the service. */
async function killInNext(toolPath: string): Promise<void> {
  const hold = sink.holdNext(toolPath);
  await hold.arrived;
  await killAll();
  hold.release();
}

async function startRuns(agent: string): Promise<string[]> {
  return (await Promise.all(Array.from({ length: RUNS }, (_, i) => api.startRun(agent, `letter ${i}`)))).map(
    (run) => run.id,
  );
}

const allRuns = (ids: readonly string[]) => Promise.all(ids.map((id) => api.run(id)));

/** Every run has ended or waits for this account to be topped up. */
const atRest = (ids: readonly string[], account: string) => {
  let last: unknown;
  return waitFor(
    `all runs to wait for ${account}`,
    async () => {
      const runs = await allRuns(ids);
      last = runs.map((run) => `${run.status} ${run.steps} ${run.waiting?.for} ${run.waiting?.reason}`);
      const rests = runs.every(
        ({ status, waiting }) =>
          status === 'completed' ||
          (status === 'waiting' && waiting?.budget === account && !waiting.reason?.includes('under way')),
      );
      return rests ? runs : undefined;
    },
    90_000,
  ).catch((err: Error) => {
    throw new Error(`${err.message}; they are ${JSON.stringify(last)}`);
  });
};

interface Account {
  used: { costUsd: string; steps: number; toolCalls: number };
  reserved: { costUsd: string; steps: number };
}

/** Calls that the provider answered, each once however often it was asked. */
const answered = async (script: string): Promise<number> =>
  new Set(
    (await service.model.journal(script))
      .filter((entry) => entry.status === 'answered')
      .map((entry) => `${entry.conversation}/${entry.turn}`),
  ).size;

test('steps, money and tool calls are overshot by the calls in flight at most, and all goes on after a higher limit', async () => {
  const account = 'agent/flock/total';
  const set = (limits: Record<string, unknown>) => api.ok<Account>('PUT', `/v1/budgets/${account}`, limits);
  const read = () => api.ok<Account>('GET', `/v1/budgets/${account}`);
  await service.model.putScript(
    scriptOf('flock', [...['a', 'b', 'c'].map((what) => calls(['charge', { what }])), done()]),
  );
  await api.putAgent(sinkAgent('flock', sink.url, { maxOutputTokens: 100 }));

  await set({ maxSteps: 60 });
  const killed = killInNext('/charge');
  const ids = await startRuns('flock');
  await killed;
  const afterSteps = await atRest(ids, account);
  expect(afterSteps.reduce((sum, run) => sum + run.steps, 0)).toBe(60);
  expect(await read()).toMatchObject({ used: { steps: 60 }, reserved: { steps: 0 } });
  expect(await answered('flock')).toBe(60);

  const spent = Number((await read()).used.costUsd);
  const perCall = spent / 60;
  const maxCostUsd = (spent + 20 * perCall).toFixed(6);
  const killedAgain = killInNext('/charge');
  await set({ maxCostUsd });
  await killedAgain;
  const afterMoney = await atRest(ids, account);
  const journal = await service.model.journal('flock');
  const inFlight = journal.filter((entry) => entry.status === 'aborted').length;
  const { repeated, costUsd } = await service.model.bill('flock');
  const used = Number((await read()).used.costUsd);
  const dearest = 3 * perCall; // requests grow a little with the step
  expect(used).toBeGreaterThanOrEqual(Number(maxCostUsd));
  expect(used).toBeLessThanOrEqual(Number(maxCostUsd) + dearest);
  expect(costUsd).toBeLessThanOrEqual(Number(maxCostUsd) + dearest * (1 + inFlight + repeated.length));
  expect(afterMoney.reduce((sum, run) => sum + Number(run.costUsd), 0)).toBeCloseTo(used, 9);

  const begun = (await read()).used.toolCalls;
  const killedThird = killInNext('/charge');
  await set({ maxToolCalls: begun + 15 });
  await killedThird;
  await atRest(ids, account);
  expect((await read()).used.toolCalls).toBe(begun + 15);
  expect(sink.effects()).toHaveLength(begun + 15);

  await set({ maxSteps: 10_000 });
  const ended = await Promise.all(ids.map((id) => api.ended(id, 120_000)));
  expect(ended.map((run) => [run.status, run.steps])).toEqual(ids.map(() => ['completed', 4]));
  expect(sink.effects()).toHaveLength(3 * RUNS);
  expect(await read()).toMatchObject({ used: { steps: 4 * RUNS, toolCalls: 3 * RUNS }, reserved: { steps: 0 } });
}, 300_000);

test('a rate is never exceeded: not one call more than has refilled arrives, and in the end each has its turn', async () => {
  const [perSecond, burst] = [8, 4];
  const agent = sinkAgent('paced', `${sink.url}/paced`) as unknown as { tools: Record<string, unknown>[] };
  const tools = agent.tools.map((tool) =>
    tool['name'] === 'charge' ? { ...tool, rate: { rate: `${perSecond}/s`, burst } } : tool,
  );
  await service.model.putScript(scriptOf('paced', [calls(['charge', { what: 'a' }]), done()]));
  await api.putAgent(sinkAgent('paced', `${sink.url}/paced`, { tools }));
  const before = sink.requests.length;
  const arrivals: number[] = [];
  const begin = Date.now(); // the bucket is full; every call that arrives by then was let in since
  sink.onRequest = (request) => void (request.path === '/paced/charge' && arrivals.push(Date.now() - begin));
  const killed = killInNext('/paced/charge');
  const ids = await startRuns('paced');
  await killed;
  await killInNext('/paced/charge');
  const ended = await Promise.all(ids.map((id) => api.ended(id, 120_000)));
  expect(ended.map((run) => run.status)).toEqual(ids.map(() => 'completed'));
  expect(sink.requests.length - before).toBe(arrivals.length);
  expect(arrivals.length).toBeGreaterThanOrEqual(RUNS);
  for (const [i, at] of arrivals.entries()) expect(i + 1).toBeLessThanOrEqual(burst + (perSecond * at) / 1000);
}, 300_000);

test('where a rate lets ten through and no more, ten arrive at most, however many ask and die', async () => {
  const agent = sinkAgent('ten', `${sink.url}/ten`) as unknown as { tools: Record<string, unknown>[] };
  const tools = agent.tools.map((tool) =>
    tool['name'] === 'charge' ? { ...tool, rate: { rate: '1/d', burst: 10 } } : tool,
  );
  await service.model.putScript(scriptOf('ten', [calls(['charge', { what: 'a' }]), done()]));
  await api.putAgent(sinkAgent('ten', `${sink.url}/ten`, { tools }));
  const killed = killInNext('/ten/charge');
  const ids = await startRuns('ten');
  await killed;
  await atRest(ids, 'tool/ten/charge');
  const arrived = sink.requests.filter((request) => request.path === '/ten/charge').length;
  expect(arrived).toBeGreaterThan(0);
  expect(arrived).toBeLessThanOrEqual(10);
  await Promise.all(ids.map((id) => api.call('POST', `/v1/runs/${id}/cancel`)));
}, 300_000);
