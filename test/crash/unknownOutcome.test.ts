// A call that started and whose result was lost: a person says what became of it, and what they say happens once.
import { waitFor } from '../../embedded/processes.js';
import type { Service } from '../../embedded/services.js';
import type { Approval } from '../../contracts/approvals.js';
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

async function killAndReplaceWorker(): Promise<void> {
  await worker.kill();
  worker = await service.startWorker();
}

const launch = calls(['launch', { what: 'rocket' }]);
const requestsOf = (id: string) => sink.requests.filter((e) => e.key.startsWith(id));
const decisionOf = (approval: Approval) => `/v1/approvals/${approval.id}/decision`;

/** A run whose worker was killed inside an irreversible tool, and the question what became of it. */
async function aQuestionAboutALaunch(
  name: string,
  next: Parameters<typeof scriptOf>[1][number] = done(),
  more: Record<string, unknown> = { unknown: 'ask' },
): Promise<{ id: string; question: Approval }> {
  await service.model.putScript(scriptOf(name, [launch, next]));
  await api.putAgent(sinkAgent(name, sink.url, more));
  const hold = sink.holdNext('/launch');
  const { id } = await api.startRun(name);
  await hold.arrived;
  await killAndReplaceWorker();
  const question = await api.firstApproval(id);
  hold.release();
  return { id, question };
}

const told = (contains: string, isError = false) => ({
  expect: { toolResult: { tool: 'launch', contains, isError } },
  reply: [{ text: 'understood' }],
});

test('the question shows the call, why nobody knows, and the run that waits for it', async () => {
  const { id, question } = await aQuestionAboutALaunch('shown');
  expect(question).toMatchObject({
    kind: 'outcome',
    tool: 'launch',
    effect: 'irreversible',
    arguments: { what: 'rocket' },
    rule: 'unknown-outcome',
    reason: expect.stringContaining('may or may not have happened'),
    onExpiry: 'tell',
    status: 'pending',
  });
  expect(await api.run(id)).toMatchObject({
    status: 'waiting',
    waiting: { for: 'approval', approvalIds: [question.id], reason: 'nobody knows whether launch happened' },
    unknownCalls: [{ step: 1, toolCallId: question.toolCallId, tool: 'launch', asked: true }],
  });
  const step = await api.ok<{ toolCalls: object[] }>('GET', `/v1/runs/${id}/steps/1`);
  expect(step.toolCalls).toMatchObject([{ outcome: null, doubt: question.reason }]);
  const inbox = await api.ok<{ data: Approval[] }>('GET', `/v1/approvals?kind=outcome&status=pending&runId=${id}`);
  expect(inbox.data.map((a) => a.id)).toEqual([question.id]);
  await api.ok('POST', `/v1/runs/${id}/cancel`);
  expect(await api.ended(id)).toMatchObject({ unknownCalls: [{ tool: 'launch', asked: false }] });
});

test('a worker killed between the answer and the run: it runs once', async () => {
  const { id, question } = await aQuestionAboutALaunch('killed-between');
  // The decision is taken while the only worker dies: it is stored, or it is not and can be repeated.
  const deciding = api.call('POST', decisionOf(question), {
    decision: 'not_happened',
    argumentsDigest: question.argumentsDigest,
  });
  await killAndReplaceWorker();
  const { status } = await deciding;
  if (status !== 200) {
    await waitFor('the decision', async () => {
      const body = { decision: 'not_happened', argumentsDigest: question.argumentsDigest };
      return [200, 409].includes((await api.call('POST', decisionOf(question), body)).status);
    });
  }
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
  expect(requestsOf(id)).toHaveLength(2);
});

test('a worker killed again inside the run that a person allowed: a new question, and nothing runs on the old answer', async () => {
  const { id, question } = await aQuestionAboutALaunch('killed-again');
  const hold = sink.holdNext('/launch');
  await api.decide(question, 'not_happened');
  await hold.arrived;
  await killAndReplaceWorker();
  const second = await waitFor('a second question', async () => (await api.pendingApprovals(id))[0], 30_000);
  hold.release();
  expect(second).toMatchObject({ kind: 'outcome', tool: 'launch' });
  expect(second.id).not.toBe(question.id);
  expect(requestsOf(id)).toHaveLength(2);
  await api.decide(second, 'succeeded', { message: 'it is up' });
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
  expect(requestsOf(id)).toHaveLength(2);
});

test('a worker killed while the question is open: it stays, and is answered by a Temporal signal', async () => {
  const { id, question } = await aQuestionAboutALaunch('by-signal', told('up, says the radar'));
  await killAndReplaceWorker();
  expect((await api.pendingApprovals(id)).map((a) => a.id)).toEqual([question.id]);
  const handle = service.temporal.workflow.getHandle(`agent-run-${id}`);
  await handle.signal('approve', { approvalId: question.id });
  await handle.signal('decide', { approvalId: question.id, decision: 'succeeded' });
  const signal = { approvalId: question.id, decision: 'succeeded', message: 'up, says the radar' };
  await handle.signal('decide', signal);
  expect(await api.ended(id)).toMatchObject({ output: { text: 'understood' } });
  expect(requestsOf(id)).toHaveLength(1);
  const ignored = (await api.events(id)).filter((e) => e.type === 'signal.ignored').map((e) => e.data['reason']);
  expect(ignored).toEqual([
    expect.stringContaining('DecisionNotTaken'),
    'succeeded takes {"result": …} or {"message": "…"}',
  ]);
});
