// The main path through API, worker, Temporal and PostgreSQL, with a scripted model.
import { checkChain } from '../../harness/log/eventHash.js';
import {
  ApiCaller,
  type TestService,
  calls,
  done,
  historyOf,
  scriptOf,
  sinkAgent,
  startTestService,
} from '../support/service.js';
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

async function agent(
  name: string,
  turns: Parameters<typeof scriptOf>[1],
  more: Record<string, unknown> = {},
): Promise<void> {
  await service.model.putScript(scriptOf(name, turns));
  await api.putAgent(sinkAgent(name, sink.url, more));
}

test('a run calls its tools, shows the model their results and completes with its last text', async () => {
  await agent('simple', [
    calls(['look', { what: 'a' }], ['charge', { what: 'b' }]),
    { expect: { toolResult: { tool: 'charge', contains: '"what":"b"' } }, reply: [{ text: 'All done.' }] },
  ]);
  const run = await api.startRun('simple', 'please');
  const ended = await api.ended(run.id);
  expect(ended).toMatchObject({ status: 'completed', steps: 2, output: { text: 'All done.' } });
  expect(ended.usage).toMatchObject({ modelCalls: 2, toolCalls: 2 });
  expect(Number(ended.costUsd)).toBeGreaterThan(0);
});

test('every event of a run follows the one before, and their hashes prove it', async () => {
  await agent('chained', [calls(['look', { what: 'x' }]), done()]);
  const { id } = await api.startRun('chained');
  await api.ended(id);
  const events = await api.events(id);
  expect(events.map((e) => e.seq)).toEqual(events.map((_, i) => i + 1));
  expect(checkChain(id, events)).toMatchObject({ ok: true });
  const changed = events.map((e) => (e.seq === 3 ? { ...e, data: { ...e.data, extra: true } } : e));
  expect(checkChain(id, changed)).toMatchObject({ ok: false, seq: 3 });
});

test('a tool that a person approved runs once, and the log names rule, approver and digest', async () => {
  await agent('asks', [calls(['charge', { what: 'big' }]), done()], {
    approve: [{ tool: 'charge', when: 'arguments.what == "big"' }],
  });
  const { id } = await api.startRun('asks');
  const approval = await api.firstApproval(id);
  expect((await api.run(id)).waiting).toMatchObject({ for: 'approval', approvalIds: [approval.id] });
  expect(sink.requests.filter((r) => r.key.startsWith(id))).toEqual([]);
  const decided = await api.decide(approval, 'approve');
  expect(decided).toMatchObject({ status: 'approved', decision: 'approve' });
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
  expect(sink.requests.filter((r) => r.key.startsWith(id))).toHaveLength(1);
  const started = (await api.events(id)).find((e) => e.type === 'tool.started');
  expect(started?.data).toMatchObject({
    rule: 'approve[0]',
    argumentsDigest: approval.argumentsDigest,
    approvalId: approval.id,
    approvedBy: { kind: 'key' },
  });
});

test('the same approval can be given by a Temporal signal', async () => {
  await agent('signalled', [calls(['charge', { what: 's' }]), done()], { approve: [{ tool: 'charge' }] });
  const { id } = await api.startRun('signalled');
  const approval = await api.firstApproval(id);
  const handle = service.temporal.workflow.getHandle(`agent-run-${id}`);
  await handle.signal('approve', { approvalId: 'apr_unknown' });
  await handle.signal('approve', { approvalId: approval.id });
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
  const events = await api.events(id);
  expect(events.find((e) => e.type === 'signal.ignored')?.data['reason']).toContain('apr_unknown');
  expect(events.find((e) => e.type === 'approval.decided')?.actor).toEqual({ kind: 'signal', id: 'temporal' });
});

test('a signal decides nothing for an agent that does not take decisions by signal', async () => {
  await agent('no-signals', [calls(['charge', { what: 's' }]), done()], {
    approve: [{ tool: 'charge' }],
    approvals: { signals: false },
  });
  const { id } = await api.startRun('no-signals');
  const approval = await api.firstApproval(id);
  await service.temporal.workflow.getHandle(`agent-run-${id}`).signal('approve', { approvalId: approval.id });
  await api.runWith(id, 'told', (r) => r.status === 'waiting');
  await api.decide(approval, 'reject', { message: 'not today' });
  await api.ended(id);
  expect((await api.events(id)).map((e) => e.type)).toContain('signal.ignored');
  expect(sink.requests.filter((r) => r.key.startsWith(id))).toEqual([]);
});

test('a rejected call is not executed, and the model hears why', async () => {
  await agent(
    'rejected',
    [
      calls(['charge', { what: 'r' }]),
      { expect: { toolResult: { tool: 'charge', contains: 'too dear', isError: true } }, reply: [{ text: 'ok' }] },
    ],
    { approve: [{ tool: 'charge' }] },
  );
  const { id } = await api.startRun('rejected');
  await api.decide(await api.firstApproval(id), 'reject', { message: 'too dear' });
  expect(await api.ended(id)).toMatchObject({ status: 'completed', output: { text: 'ok' } });
  expect(sink.requests.filter((r) => r.key.startsWith(id))).toEqual([]);
});

test('an edited call runs with the edited arguments', async () => {
  await agent('edited', [calls(['charge', { what: 'much' }]), done()], { approve: [{ tool: 'charge' }] });
  const { id } = await api.startRun('edited');
  const approval = await api.firstApproval(id);
  const refused = await api.call('POST', `/v1/approvals/${approval.id}/decision`, {
    decision: 'edit',
    argumentsDigest: approval.argumentsDigest,
    arguments: { wat: 'little' },
  });
  expect(refused).toMatchObject({ status: 422, body: { type: expect.stringMatching(/edited-arguments-refused$/) } });
  await api.decide(approval, 'edit', { arguments: { what: 'little' } });
  await api.ended(id);
  expect(sink.requests.filter((r) => r.key.startsWith(id)).map((r) => r.arguments)).toEqual([{ what: 'little' }]);
});

test('the first decision wins; a second one is told who won', async () => {
  await agent('twice', [calls(['charge', { what: 't' }]), done()], { approve: [{ tool: 'charge' }] });
  const { id } = await api.startRun('twice');
  const approval = await api.firstApproval(id);
  const body = { argumentsDigest: approval.argumentsDigest };
  const wrong = await api.call('POST', `/v1/approvals/${approval.id}/decision`, {
    decision: 'approve',
    argumentsDigest: 'f00',
  });
  expect(wrong).toMatchObject({ status: 409, body: { type: expect.stringMatching(/digest-mismatch$/) } });
  const answers = await Promise.all(
    ['approve', 'reject', 'approve'].map((decision) =>
      api.call('POST', `/v1/approvals/${approval.id}/decision`, { decision, ...body }),
    ),
  );
  expect(answers.map((a) => a.status).toSorted((a, b) => a - b)).toEqual([200, 409, 409]);
  const loser = answers.find((a) => a.status === 409);
  expect(loser?.body).toMatchObject({ type: expect.stringMatching(/already-decided$/), approval: { id: approval.id } });
  await api.ended(id);
});

test('an approval that nobody gives expires, and the call is not executed', async () => {
  await agent(
    'expires',
    [
      calls(['charge', { what: 'e' }]),
      { expect: { toolResult: { tool: 'charge', contains: 'expired', isError: true } }, reply: [{ text: 'went on' }] },
    ],
    { approve: [{ tool: 'charge' }], approvals: { expiresAfter: '1s' } },
  );
  const { id } = await api.startRun('expires');
  const approval = await api.firstApproval(id);
  expect(await api.ended(id)).toMatchObject({ status: 'completed', output: { text: 'went on' } });
  const late = await api.call('POST', `/v1/approvals/${approval.id}/decision`, {
    decision: 'approve',
    argumentsDigest: approval.argumentsDigest,
  });
  expect(late).toMatchObject({ status: 409, body: { approval: { status: 'expired' } } });
  expect(sink.requests.filter((r) => r.key.startsWith(id))).toEqual([]);
});

test('a question of the model is answered by a person', async () => {
  await agent(
    'curious',
    [
      calls(['ask_person', { question: 'Which colour?' }]),
      { expect: { toolResult: { tool: 'ask_person', contains: 'blue' } }, reply: [{ text: 'Blue it is.' }] },
    ],
    { tools: ['ask_person'] },
  );
  const { id } = await api.startRun('curious');
  await api.waiting(id, 'input');
  const approval = await api.firstApproval(id);
  expect(approval).toMatchObject({ kind: 'input', arguments: { question: 'Which colour?' } });
  const answer = await api.call('POST', `/v1/approvals/${approval.id}/decision`, {
    decision: 'approve',
    argumentsDigest: approval.argumentsDigest,
  });
  expect(answer).toMatchObject({ status: 409, body: { type: expect.stringMatching(/decision-not-taken$/) } });
  await api.decide(approval, 'respond', { message: 'blue' });
  expect(await api.ended(id)).toMatchObject({ output: { text: 'Blue it is.' } });
});

test('nothing but ids, counts, times and verdicts stands in Temporal history', async () => {
  await agent(
    'secretive',
    [calls(['charge', { what: 'SECRET-ARGUMENT-OF-A-CALL-THAT-IS-RATHER-LONG-INDEED' }]), done('SECRET-REPLY')],
    {
      instructions: 'SECRET-INSTRUCTIONS',
    },
  );
  const { id } = await api.startRun('secretive', 'SECRET-INPUT');
  await api.ended(id);
  const history = JSON.stringify(await historyOf(service, id), (_key, value: unknown) =>
    value instanceof Uint8Array || (value as { type?: string } | null)?.type === 'Buffer'
      ? Buffer.from(value as Uint8Array).toString('utf8')
      : value,
  );
  expect(history).toContain(id);
  for (const secret of ['SECRET-INPUT', 'SECRET-REPLY', 'SECRET-INSTRUCTIONS', 'RATHER-LONG-INDEED']) {
    expect(history).not.toContain(secret);
  }
});
