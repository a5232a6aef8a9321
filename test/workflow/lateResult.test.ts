// Results that come after a call was given up: kept, used, and shown to the model as what they are.
import path from 'node:path';
import { waitFor } from '../../embedded/processes.js';
import type { Run } from '../../contracts/agentRun.js';
import type { RunEvent } from '../../contracts/events.js';
import type { Undo } from '../../contracts/undo.js';
import type { Step } from '../../contracts/steps.js';
import { ApiCaller, type TestService, calls, done, scriptOf, sinkAgent, startTestService } from '../support/service.js';
import { type Hold, type Sink, startSink } from '../support/sink.js';

let service: TestService;
let api: ApiCaller;
let sink: Sink;

beforeAll(async () => {
  const env = { LONGHAUL_TOOLS: path.join(__dirname, '..', 'support', 'stubbornTools.ts') };
  [service, sink] = await Promise.all([startTestService({ env }), startSink()]);
  api = ApiCaller.of(service);
});
afterAll(async () => {
  await service?.stop();
  await sink?.close();
});

type Turns = Parameters<typeof scriptOf>[1];

const ring = (effect: string): [string, Record<string, unknown>] => [`ring_${effect}`, { url: `${sink.url}/ring` }];
const requestsOf = (id: string) => sink.requests.filter((r) => r.key.startsWith(id));

/** A run whose bell has been rung and does not answer. */
async function aRun(name: string, turns: Turns, tools: string[]): Promise<{ id: string; bell: Hold }> {
  await service.model.putScript(scriptOf(name, turns));
  const agent = sinkAgent(name, sink.url) as unknown as { tools: unknown[] };
  await api.putAgent({ ...agent, name, tools: [...agent.tools, ...tools] });
  const bell = sink.holdNext('/ring');
  const { id } = await api.startRun(name);
  await bell.arrived;
  return { id, bell };
}

const event = (id: string, type: string, holds: (e: RunEvent) => boolean = () => true): Promise<RunEvent> =>
  waitFor(`${type} of ${id}`, async () => (await api.events(id)).find((e) => e.type === type && holds(e)), 30_000);

const givenUp = (id: string) => event(id, 'tool.returned', (e) => e.data['outcome'] === 'unknown');

/** And nothing is left of which nobody knows. */
async function completed(id: string): Promise<Run> {
  const run = await api.ended(id);
  expect(run.status).toBe('completed');
  expect(run).not.toHaveProperty('unknownCalls');
  return run;
}

const toldLate = {
  expect: { lastUserContains: '/It did happen:[\\s\\S]*"path":"\\/ring"[\\s\\S]*Do not repeat the call/' },
  reply: [{ text: 'good to know' }],
};

test('a result that comes before the model was told "unknown" is the result', async () => {
  const wall = sink.holdNext('/charge');
  const { id, bell } = await aRun(
    'late-in-step',
    [
      calls(ring('irreversible'), ['charge', { what: 'x' }]),
      {
        expect: { toolResult: { tool: 'ring_irreversible', contains: '"path":"/ring"', isError: false } },
        reply: [{ text: 'it rang' }],
      },
    ],
    ['ring_irreversible'],
  );
  await givenUp(id);
  bell.release();
  expect((await event(id, 'tool.result_late')).data).toMatchObject({ settledAs: 'unknown', told: 'as_result' });
  wall.release();
  expect(await completed(id)).toMatchObject({ output: { text: 'it rang' } });
  expect(requestsOf(id).filter((r) => r.path === '/ring')).toHaveLength(1);
});

test("one that comes later is told the model in its next step, marked as the tool's", async () => {
  const wall = sink.holdNext('/charge');
  const unknown = {
    toolResult: { tool: 'ring_irreversible', contains: 'may or may not have happened', isError: true },
  };
  const { id, bell } = await aRun(
    'late-next-step',
    [calls(ring('irreversible')), { ...calls(['charge', { what: 'y' }]), expect: unknown }, toldLate],
    ['ring_irreversible'],
  );
  await wall.arrived;
  bell.release();
  expect((await event(id, 'tool.result_late')).data).toMatchObject({ outcome: 'succeeded', told: 'as_message' });
  wall.release();
  expect(await completed(id)).toMatchObject({ output: { text: 'good to know' } });
  const { toolCalls } = await api.ok<Step>('GET', `/v1/runs/${id}/steps/1`);
  expect(toolCalls).toMatchObject([
    { outcome: 'unknown', lateOutcome: 'succeeded', lateResult: [{ text: expect.stringContaining('/ring') }] },
  ]);
});

test('one that comes while the model answers for the last time is answered before the run completes', async () => {
  await service.model.holdAt({ name: 'last-words', script: 'late-last', turn: 1, at: 'beforeStop' });
  const { id, bell } = await aRun(
    'late-last',
    [calls(ring('irreversible')), done('nobody knows'), toldLate],
    ['ring_irreversible'],
  );
  await service.model.waitForHold('last-words');
  bell.release();
  await event(id, 'tool.result_late');
  await service.model.release('last-words');
  expect(await api.ended(id)).toMatchObject({ steps: 3, output: { text: 'good to know' } });
});

test('one that comes after the run has ended is kept; the run stays as it is, and an undo knows of it', async () => {
  const { id, bell } = await aRun(
    'late-ended',
    [calls(ring('irreversible')), done('nobody knows')],
    ['ring_irreversible'],
  );
  const ended = await api.ended(id);
  expect(ended).toMatchObject({ status: 'completed', unknownCalls: [{ tool: 'ring_irreversible' }] });
  bell.release();
  expect((await event(id, 'tool.result_late')).data).toMatchObject({ outcome: 'succeeded', told: 'no_one' });
  expect(await completed(id)).toMatchObject({ steps: 2, output: ended.output });

  // It is known to have happened: it can be taken back, with what it returned.
  const { plan } = await api.ok<Undo>('GET', `/v1/runs/${id}/undo`);
  expect([plan.steps.map((s) => s.tool), plan.cannot]).toEqual([['ring_irreversible'], []]);
  await api.ok('POST', `/v1/runs/${id}/undo`, { planDigest: plan.digest });
  const undone = await waitFor('the bell to be taken back', () => sink.requests.find((r) => r.path === '/unring'));
  expect(JSON.stringify(undone.arguments)).toContain('/ring');
});

test('of an idempotent tool that is asked again, the first answer is the result, whichever attempt brings it', async () => {
  const first = sink.holdNext('/ring');
  const { id, bell: second } = await aRun(
    'late-idempotent',
    [
      calls(ring('idempotent')),
      { expect: { toolResult: { tool: 'ring_idempotent', contains: '"path":"/ring"' } }, reply: [{ text: 'it rang' }] },
    ],
    ['ring_idempotent'],
  );
  first.release();
  const { data } = await event(id, 'tool.returned');
  second.release();
  expect(data).toMatchObject({ attempt: 1, outcome: 'succeeded' });
  expect(await api.ended(id)).toMatchObject({ output: { text: 'it rang' }, usage: { toolCalls: 1 } });
  expect(new Set(requestsOf(id).map((r) => r.key)).size).toBe(1);
  expect((await api.events(id)).filter((e) => e.type === 'tool.returned')).toHaveLength(1);
});
