// A long run as anybody would start it: Temporal's defaults, one worker. 700 steps are enough to be handed over some times;
// `npm run long-run` makes it 2,000.
import { checkChain } from '../../harness/log/eventHash.js';
import type { RunEvent } from '../../contracts/events.js';
import { workflowIdOf } from '../../contracts/ids.js';
import { ApiCaller, type TestService, calls, done, scriptOf, sinkAgent, startTestService } from '../support/service.js';
import { type Sink, startSink } from '../support/sink.js';

const STEPS = Number(process.env['LONGHAUL_LONG_RUN_STEPS'] ?? 700);
/** Where a run goes on as a new Temporal run; a step more may come before it does. */
const HAND_OVER_EVENTS = 1000;
/** Where Temporal itself would suggest it. */
const SUGGESTED_BYTES = 4 * 1024 * 1024;
const ONE_STEP = 20;

let service: TestService;
let api: ApiCaller;
let sink: Sink;

beforeAll(async () => {
  [service, sink] = await Promise.all([startTestService(), startSink()]);
  api = ApiCaller.of(service);
});
afterAll(async () => {
  await service?.stop();
  await sink?.close();
});

async function allEvents(id: string): Promise<RunEvent[]> {
  const all: RunEvent[] = [];
  for (let after = 0; ; after = all.at(-1)?.seq ?? 0) {
    const { data } = await api.ok<{ data: RunEvent[] }>('GET', `/v1/runs/${id}/events?limit=1000&after=${after}`);
    all.push(...data);
    if (data.length < 1000) return all;
  }
}

test('a long run is one run: every call once, one log, and no history above a thousand events or so', async () => {
  await service.model.putScript(scriptOf('long', [{ ...calls(['look', { what: 'n${turn}' }]), times: STEPS }, done()]));
  await api.putAgent(sinkAgent('long', sink.url));
  const limits = { maxSteps: STEPS + 1, maxToolCalls: STEPS, maxTokens: 900_000_000, maxCostUsd: '100000' };
  const { id } = await api.startRun('long', 'go', { limits });
  expect(await api.ended(id, 1_150_000)).toMatchObject({ status: 'completed', steps: STEPS + 1 });

  expect(sink.requests).toHaveLength(STEPS);
  expect(new Set(sink.requests.map((r) => r.key)).size).toBe(STEPS);
  expect(await service.model.bill('long')).toMatchObject({ calls: STEPS + 1, repeated: [] });
  const events = await allEvents(id);
  expect(events.map((e) => e.seq)).toEqual(events.map((_, i) => i + 1));
  expect(checkChain(id, events)).toMatchObject({ ok: true });

  const sizes: { events: number; bytes: number }[] = [];
  const query = `WorkflowId = '${workflowIdOf(id)}' AND ExecutionStatus = 'ContinuedAsNew'`;
  for await (const run of service.temporal.workflow.list({ query })) {
    sizes.push({ events: run.historyLength, bytes: run.historySize ?? 0 });
  }
  expect(sizes.length).toBeGreaterThanOrEqual(Math.floor(STEPS / 200));
  for (const { events: count, bytes } of sizes) {
    expect(count).toBeLessThan(HAND_OVER_EVENTS + ONE_STEP);
    expect(bytes).toBeLessThan(SUGGESTED_BYTES);
  }
}, 1_200_000);
