// A worker is killed with SIGKILL at the worst moments; another goes on. The sink's ledger says what really happened.
import type { Service } from '../../embedded/services.js';
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

async function aRun(
  name: string,
  turns: Parameters<typeof scriptOf>[1],
  more: Record<string, unknown> = {},
): Promise<string> {
  await service.model.putScript(scriptOf(name, turns));
  await api.putAgent(sinkAgent(name, sink.url, more));
  return (await api.startRun(name)).id;
}

async function killAndReplaceWorker(): Promise<void> {
  await worker.kill();
  worker = await service.startWorker();
}

const effectsOf = (id: string) => sink.effects().filter((e) => e.key.startsWith(id));
const requestsOf = (id: string) => sink.requests.filter((e) => e.key.startsWith(id));

test('a worker killed inside a model call: the call is made once more and the run completes', async () => {
  await service.model.holdAt({ name: 'mid-call', script: 'in-model', turn: 1, at: 'afterFirstDelta' });
  const id = await aRun('in-model', [
    calls(['look', { what: 'a' }]),
    done('a long enough text to have several deltas'),
  ]);
  await service.model.waitForHold('mid-call');
  await killAndReplaceWorker();
  expect(await api.ended(id)).toMatchObject({ status: 'completed', steps: 2 });
  expect((await service.model.bill('in-model')).repeated).toEqual([]);
  expect((await service.model.journal('in-model')).map((e) => [e.turn, e.status])).toEqual([
    [0, 'answered'],
    [1, 'aborted'],
    [1, 'answered'],
  ]);
  expect(effectsOf(id)).toHaveLength(1);
});

test('a worker killed inside a read tool: the tool runs again with the same key', async () => {
  const hold = sink.holdNext('/look');
  const id = await aRun('in-read', [calls(['look', { what: 'r' }]), done()]);
  await hold.arrived;
  await killAndReplaceWorker();
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
  hold.release();
  expect(requestsOf(id)).toHaveLength(2);
  expect(effectsOf(id)).toHaveLength(1);
});

test('a worker killed inside an idempotent tool after its effect: one effect, two requests under one key', async () => {
  const hold = sink.holdNext('/charge');
  const id = await aRun('in-idempotent', [calls(['charge', { what: 'i' }]), done()]);
  await hold.arrived;
  await killAndReplaceWorker();
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
  hold.release();
  expect(effectsOf(id)).toEqual([{ path: '/charge', key: requestsOf(id)[0]?.key, arguments: { what: 'i' } }]);
  expect(requestsOf(id)).toHaveLength(2);
});

test('a worker killed inside a reconcilable tool that had acted: the service says so, its answer is the result, and the tool is not run again', async () => {
  const hold = sink.holdNext('/transfer');
  sink.answerNext('/transfer/status', 200, '{"transferId":"t-1"}');
  const id = await aRun('in-reconcilable', [
    calls(['transfer', { what: 'rent' }]),
    { expect: { toolResult: { tool: 'transfer', contains: 't-1' } }, reply: [{ text: 'done' }] },
  ]);
  await hold.arrived;
  await killAndReplaceWorker();
  expect(await api.ended(id)).toMatchObject({ status: 'completed', output: { text: 'done' } });
  hold.release();
  expect(requestsOf(id).map((r) => r.path)).toEqual(['/transfer', '/transfer/status']);
});

test('a worker killed inside a reconcilable tool before it acted: the service says so, and the tool runs again with the same key', async () => {
  const hold = sink.holdNext('/transfer');
  sink.answerNext('/transfer/status', 404);
  const id = await aRun('in-reconcilable-early', [calls(['transfer', { what: 'rent' }]), done()]);
  await hold.arrived;
  await killAndReplaceWorker();
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
  hold.release();
  expect(requestsOf(id).map((r) => r.path)).toEqual(['/transfer', '/transfer/status', '/transfer']);
  expect(new Set(requestsOf(id).map((r) => r.key)).size).toBe(1);
});

test('a worker killed inside an irreversible tool: the outcome is unknown, the model is told, and it never runs again', async () => {
  const hold = sink.holdNext('/launch');
  const id = await aRun('in-irreversible', [
    calls(['launch', { what: 'rocket' }]),
    {
      expect: { toolResult: { tool: 'launch', contains: 'may or may not have happened', isError: true } },
      reply: [{ text: 'I will check.' }],
    },
  ]);
  await hold.arrived;
  await killAndReplaceWorker();
  expect(await api.ended(id)).toMatchObject({ status: 'completed', output: { text: 'I will check.' } });
  hold.release();
  expect(requestsOf(id)).toHaveLength(1);
  const returned = (await api.events(id)).find((e) => e.type === 'tool.returned');
  expect(returned?.data).toMatchObject({ outcome: 'unknown' });
});

test('a worker killed while a run waits for approval: the question stays, the answer counts, the tool runs once', async () => {
  const id = await aRun('in-approval', [calls(['charge', { what: 'w' }]), done()], { approve: [{ tool: 'charge' }] });
  const approval = await api.firstApproval(id);
  await killAndReplaceWorker();
  expect(await api.run(id)).toMatchObject({ status: 'waiting' });
  await api.decide(approval, 'approve');
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
  expect(requestsOf(id)).toHaveLength(1);
});

test('a decision made while no worker is alive is answered with 503 and can be repeated', async () => {
  const id = await aRun('no-worker', [calls(['charge', { what: 'n' }]), done()], { approve: [{ tool: 'charge' }] });
  const approval = await api.firstApproval(id);
  await worker.stop();
  const refused = await api.call('POST', `/v1/approvals/${approval.id}/decision`, {
    decision: 'approve',
    argumentsDigest: approval.argumentsDigest,
  });
  expect(refused).toMatchObject({ status: 503, body: { type: expect.stringMatching(/no-worker$/) } });
  expect(refused.headers.get('retry-after')).not.toBeNull();
  worker = await service.startWorker();
  const again = await api.call('POST', `/v1/approvals/${approval.id}/decision`, {
    decision: 'approve',
    argumentsDigest: approval.argumentsDigest,
  });
  expect([200, 409]).toContain(again.status);
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
  expect(requestsOf(id)).toHaveLength(1);
});

test('a worker that is told to stop lets its model call finish, and nothing is marked as failed', async () => {
  await service.model.holdAt({ name: 'draining', script: 'drained', turn: 0, at: 'beforeStop' });
  const id = await aRun('drained', [calls(['look', { what: 'd' }]), done()]);
  await service.model.waitForHold('draining');
  const stopped = worker.stop();
  await service.model.release('draining');
  await stopped;
  worker = await service.startWorker();
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
  expect((await api.events(id)).map((e) => e.type)).not.toContain('model.failed');
  expect((await service.model.bill('drained')).repeated).toEqual([]);
});
