// A call of which nobody knows whether it happened, and what a person can say about it.
import { MockActivityEnvironment } from '@temporalio/testing';
import pino from 'pino';
import { AgentCache } from '../../activities/agentCache.js';
import type { Claim } from '../../activities/claimCall.js';
import type { Deps } from '../../activities/deps.js';
import { recordToolResult } from '../../activities/recordToolResult.js';
import type { Approval } from '../../contracts/approvals.js';
import { createPool } from '../../db/pool.js';
import { ApiCaller, type TestService, calls, done, scriptOf, sinkAgent, startTestService } from '../support/service.js';
import { type Sink, startSink } from '../support/sink.js';

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

const launch = calls(['launch', { what: 'rocket' }]);
const requestsOf = (id: string) => sink.requests.filter((e) => e.key.startsWith(id));
const decisionOf = (approval: Approval) => `/v1/approvals/${approval.id}/decision`;

/** A run whose irreversible tool answered 503, so that nobody knows whether it acted. */
async function aLaunch(
  name: string,
  next: Parameters<typeof scriptOf>[1][number] = done(),
  more: Record<string, unknown> = { unknown: 'ask' },
): Promise<string> {
  await service.model.putScript(scriptOf(name, [launch, next]));
  await api.putAgent(sinkAgent(name, sink.url, more));
  sink.answerNext('/launch', 503);
  return (await api.startRun(name)).id;
}

async function aQuestionAboutALaunch(...args: Parameters<typeof aLaunch>): Promise<{ id: string; question: Approval }> {
  const id = await aLaunch(...args);
  return { id, question: await api.firstApproval(id) };
}

const told = (contains: string, isError = false) => ({
  expect: { toolResult: { tool: 'launch', contains, isError } },
  reply: [{ text: 'understood' }],
});

test('"it happened, with this result": the result is the tool\'s, and the tool is not run again', async () => {
  const { id, question } = await aQuestionAboutALaunch('happened', told('"orbit": "low"'));
  const decided = await api.decide(question, 'succeeded', { result: { orbit: 'low' } });
  expect(decided).toMatchObject({ status: 'responded', decision: 'succeeded', result: { orbit: 'low' } });
  expect(await api.ended(id)).toMatchObject({ output: { text: 'understood' }, usage: { toolCalls: 1 } });
  expect(requestsOf(id)).toHaveLength(1);
  expect((await api.events(id)).find((e) => e.type === 'tool.returned')).toMatchObject({
    actor: { kind: 'key' },
    data: { outcome: 'succeeded' },
  });
});

test('"it did not happen, run it": it runs once more under the same key, and the log says on whose word', async () => {
  const { id, question } = await aQuestionAboutALaunch('not-happened', told('"ok":true'));
  await api.decide(question, 'not_happened');
  expect(await api.ended(id)).toMatchObject({ status: 'completed', usage: { toolCalls: 1 } });
  expect(requestsOf(id)).toHaveLength(2);
  expect(new Set(requestsOf(id).map((r) => r.key)).size).toBe(1);
  const log = await api.events(id);
  expect(log.map((e) => e.type).filter((type) => /^(tool|approval)/.test(type))).toEqual([
    'tool.decided',
    'tool.started',
    'tool.unknown',
    'approval.requested',
    'approval.decided',
    'tool.started',
    'tool.returned',
  ]);
  expect(log.filter((e) => e.type === 'tool.started')[1]?.data).toMatchObject({
    attempt: 2,
    approvalId: question.id,
    approvedBy: { kind: 'key' },
    argumentsDigest: question.argumentsDigest,
  });
});

test('"it did not happen, run it" by a Temporal signal runs it once', async () => {
  const { id, question } = await aQuestionAboutALaunch('rerun-by-signal');
  const handle = service.temporal.workflow.getHandle(`agent-run-${id}`);
  const signal = { approvalId: question.id, decision: 'not_happened' };
  await Promise.all([handle.signal('decide', signal), handle.signal('decide', signal)]);
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
  expect(requestsOf(id)).toHaveLength(2);
});

test('"nobody knows": the model is told so, with what the person said', async () => {
  const { id, question } = await aQuestionAboutALaunch('nobody-knows', told('They said: the radar is off.', true));
  await api.decide(question, 'unknown', { message: 'the radar is off.' });
  expect(await api.ended(id)).toMatchObject({ output: { text: 'understood' }, unknownCalls: [{ asked: false }] });
  expect(requestsOf(id)).toHaveLength(1);
});

test('no answer in time: the model is told, and a later answer is refused', async () => {
  const { id, question } = await aQuestionAboutALaunch('expired', told('did not answer in time', true), {
    unknown: 'ask',
    approvals: { expiresAfter: '2s', onExpiry: 'approve' },
  });
  expect(await api.ended(id)).toMatchObject({ output: { text: 'understood' } });
  const late = await api.call('POST', decisionOf(question), {
    decision: 'not_happened',
    argumentsDigest: question.argumentsDigest,
  });
  expect(late).toMatchObject({ status: 409, body: { approval: { status: 'expired' } } });
  expect(requestsOf(id)).toHaveLength(1);
});

test('what cannot be an answer is refused, and the question stays open', async () => {
  const { id, question } = await aQuestionAboutALaunch('refused');
  const answer = (body: object) =>
    api.call('POST', decisionOf(question), { argumentsDigest: question.argumentsDigest, ...body });
  expect(await answer({ decision: 'approve' })).toMatchObject({
    status: 409,
    body: { type: expect.stringMatching(/decision-not-taken$/), detail: expect.stringContaining('not_happened') },
  });
  expect(await answer({ decision: 'succeeded' })).toMatchObject({
    status: 400,
    body: { errors: [{ path: 'result' }] },
  });
  expect(await answer({ decision: 'not_happened', argumentsDigest: 'another' })).toMatchObject({ status: 409 });
  expect((await api.pendingApprovals(id)).map((a) => a.id)).toEqual([question.id]);
  expect(requestsOf(id)).toHaveLength(1);
  await answer({ decision: 'unknown' });
  await api.ended(id);
});

test('a tool may ask where its agent tells, and tell where its agent asks', async () => {
  const { tools } = sinkAgent('any', sink.url) as unknown as { tools: { name: string }[] };
  const withUnknown = (unknown: string) => tools.map((t) => (t.name === 'launch' ? { ...t, unknown } : t));
  const { id, question } = await aQuestionAboutALaunch('tool-asks', done(), { tools: withUnknown('ask') });
  await api.decide(question, 'unknown');
  await api.ended(id);

  const more = { unknown: 'ask', tools: withUnknown('tell') };
  const telling = await aLaunch('tool-tells', told('It was not run again.', true), more);
  expect(await api.ended(telling)).toMatchObject({ output: { text: 'understood' } });
  expect((await api.events(telling)).map((e) => e.type)).not.toContain('approval.requested');
});

test('a reconcilable call that its service cannot place asks a person, and their word stands when it still cannot', async () => {
  await service.model.putScript(scriptOf('unplaced', [calls(['transfer', { what: 'rent' }]), done()]));
  const { tools } = sinkAgent('any', sink.url) as unknown as { tools: { name: string }[] };
  const once = tools.map((tool) => (tool.name === 'transfer' ? { ...tool, attempts: 1 } : tool));
  await api.putAgent(sinkAgent('unplaced', sink.url, { unknown: 'ask', tools: once }));
  sink.answerNext('/transfer', 503);
  sink.answerNext('/transfer/status', 400);
  const { id } = await api.startRun('unplaced');
  await api.decide(await api.firstApproval(id), 'not_happened');
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
  expect(requestsOf(id).map((r) => r.path)).toEqual(['/transfer', '/transfer/status', '/transfer']);
});

/** As a worker would that was given up on and brings its result after all. */
async function aLateResult(id: string, question: Approval): Promise<void> {
  const pool = createPool(service.databaseUrl);
  const deps = {
    pool,
    agents: new AgentCache(),
    workerId: 'wrk_late',
    log: pino({ level: 'silent' }),
  } as unknown as Deps;
  const input = { agentRunId: id, step: 1, toolCallId: question.toolCallId };
  const result = { outcome: 'succeeded' as const, content: [{ type: 'text', text: 'late, but up' }], isError: false };
  const activity = new MockActivityEnvironment({}, { client: service.temporal });
  await activity.run(() => recordToolResult(deps, input, { attempt: 1 } as Claim, result));
  await pool.end();
}

test('a result that comes while a person is asked is the result, and nobody is asked any more', async () => {
  const { id, question } = await aQuestionAboutALaunch('late', told('late, but up'));
  await aLateResult(id, question);
  expect(await api.ended(id)).toMatchObject({ output: { text: 'understood' } });
  expect(await api.ok('GET', `/v1/approvals/${question.id}`)).toMatchObject({
    status: 'cancelled',
    decision: 'withdraw',
  });
  expect(requestsOf(id)).toHaveLength(1);
});

test('a signal that claims a late result where there is none tells the model that nobody knows', async () => {
  const { id, question } = await aQuestionAboutALaunch('not-late', told('did not answer', true));
  await service.temporal.workflow.getHandle(`agent-run-${id}`).signal('resultArrived', { approvalId: question.id });
  expect(await api.ended(id)).toMatchObject({ output: { text: 'understood' } });
  expect(requestsOf(id)).toHaveLength(1);
});

test('a run that ends while the question is open tells the model once it is resumed, and asks no more', async () => {
  const { id, question } = await aQuestionAboutALaunch('ended-open', told('The run ended while this call', true), {
    unknown: 'ask',
    limits: { deadline: '3s' },
  });
  expect(await api.ended(id)).toMatchObject({ status: 'stopped', stopReason: 'limit_time' });
  expect(await api.ok('GET', `/v1/approvals/${question.id}`)).toMatchObject({ status: 'cancelled' });
  await api.ok('POST', `/v1/runs/${id}/resume`, { limits: { deadline: '1h' } });
  expect(await api.runWith(id, 'completed', (r) => r.status === 'completed')).toMatchObject({
    output: { text: 'understood' },
    unknownCalls: [{ tool: 'launch', asked: false }],
  });
  expect(requestsOf(id)).toHaveLength(1);
});
