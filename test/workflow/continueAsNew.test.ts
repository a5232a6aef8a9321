// Runs that go on as a new Temporal run, in every place where a run can be. The server suggests it after 60 events
// here instead of 4,096; everything else is as it is outside of tests.
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { waitFor } from '../../embedded/processes.js';
import { workflowIdOf } from '../../contracts/ids.js';
import { ApiCaller, type TestService, calls, done, scriptOf, sinkAgent, startTestService } from '../support/service.js';
import { type Sink, startSink } from '../support/sink.js';

const SUGGESTED_AFTER = 60;
/** What may come between the suggestion and the hand-over: the end of a step, a few signals. */
const SLACK = 60;
const BURST = 20;

let service: TestService;
let api: ApiCaller;
let sink: Sink;

beforeAll(async () => {
  const temporalSettings = { 'limit.historyCount.suggestContinueAsNew': SUGGESTED_AFTER };
  [service, sink] = await Promise.all([startTestService({ temporalSettings }), startSink()]);
  api = ApiCaller.of(service);
});
afterAll(async () => {
  await service?.stop();
  await sink?.close();
});

type Turns = Parameters<typeof scriptOf>[1];

async function aRun(
  name: string,
  turns: Turns,
  more: Record<string, unknown> = {},
  start: Record<string, unknown> = {},
): Promise<string> {
  await service.model.putScript(scriptOf(name, turns));
  await api.putAgent(sinkAgent(name, sink.url, more));
  return (await api.startRun(name, 'go', start)).id;
}
const looks = (times: number) => ({ ...calls(['look', { what: 'n${turn}' }]), times });
const requestsOf = (id: string) => sink.requests.filter((e) => e.key.startsWith(id));
const handleOf = (id: string) => service.temporal.workflow.getHandle(workflowIdOf(id));

interface TemporalRun {
  runId: string;
  events: number;
  status: string;
}

async function temporalRunsOf(id: string): Promise<TemporalRun[]> {
  const found: TemporalRun[] = [];
  for await (const e of service.temporal.workflow.list({ query: `WorkflowId = '${workflowIdOf(id)}'` })) {
    found.push({ runId: e.runId, events: e.historyLength, status: e.status.name });
  }
  return found;
}

async function currentRunOf(id: string): Promise<string> {
  return (await handleOf(id).describe()).runId;
}

/** In bursts, each written down or taken along before the next: how fast a machine is decides nothing. */
async function sendMessages(id: string, texts: readonly string[]): Promise<void> {
  for (let i = 0; i < texts.length; i += BURST) {
    const burst = texts.slice(i, i + BURST);
    for (const content of burst) await handleOf(id).signal('message', { content });
    // A query is answered after all that came before it.
    await handleOf(id).query('getRun');
  }
}

/** Sends what costs the run nothing until it has gone on as a new Temporal run. */
async function handOver(id: string): Promise<void> {
  const before = await currentRunOf(id);
  await waitFor('the run to go on as a new Temporal run', async () => {
    await handleOf(id).signal('approve', { approvalId: 'apr_of_nothing' });
    return (await currentRunOf(id)) !== before;
  });
}

async function expectBoundedHistories(id: string, atLeast: number): Promise<void> {
  const runs = await waitFor(`${atLeast} Temporal runs of ${id} in the list`, async () => {
    const found = await temporalRunsOf(id);
    const closed = found.filter((r) => r.status !== 'RUNNING');
    return found.length >= atLeast && closed.length >= found.length - 1 && found;
  });
  expect(Math.max(...runs.map((r) => r.events))).toBeLessThan(SUGGESTED_AFTER + SLACK);
}

async function expectOneLog(id: string): Promise<void> {
  const events = await api.events(id);
  expect(events.map((e) => e.seq)).toEqual(events.map((_, i) => i + 1));
  for (const [i, event] of events.entries()) expect(event.prevHash).toBe(events[i - 1]?.hash ?? '0'.repeat(64));
}

/** Everything that the stream of a run sends until it ends. */
async function streamOf(id: string): Promise<Promise<number[]>> {
  const headers = { authorization: `Bearer ${service.adminKey}` };
  const asked = request(`${service.apiUrl}/v1/runs/${id}/stream`, { headers });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  return (async () => {
    let text = '';
    for await (const chunk of response as AsyncIterable<Buffer>) text += chunk.toString();
    return [...text.matchAll(/^id: (\d+)$/gm)].map((m) => Number(m[1]));
  })();
}

test('a run of many steps is one run to its clients, whatever number of Temporal runs it takes', async () => {
  const id = await aRun('many', [looks(60), done('at the end')], { limits: { maxSteps: 100 } });
  const streamed = streamOf(id);
  expect(await api.ended(id, 120_000)).toMatchObject({
    status: 'completed',
    steps: 61,
    output: { text: 'at the end' },
  });
  await expectBoundedHistories(id, 4);
  await expectOneLog(id);
  expect(await streamed).toEqual((await api.events(id)).map((e) => e.seq));
  expect((await service.model.bill('many')).repeated).toEqual([]);
  expect(requestsOf(id)).toHaveLength(60);
  // What Temporal's own pages show, and the API finds the execution by, is handed over as well.
  const description = await handleOf(id).describe();
  expect(description.memo).toMatchObject({ execution: 1 });
  expect(description.searchAttributes['AgentName']).toEqual(['many']);
  const list = await api.ok<{ data: { step: number }[] }>('GET', `/v1/runs/${id}/steps?limit=100`);
  expect(list.data.map((s) => s.step)).toEqual(Array.from({ length: 61 }, (_, i) => i + 1));
}, 180_000);

test('two hundred messages by signal during one approval: histories stay short, every message is told once and in order', async () => {
  const id = await aRun('flooded', [calls(['charge', { what: 'c' }]), done()], { approve: [{ tool: 'charge' }] });
  const approval = await api.firstApproval(id);
  const texts = Array.from({ length: 200 }, (_, i) => `message ${i};`);
  await sendMessages(id, texts);
  expect(await api.decide(approval, 'approve')).toMatchObject({ status: 'approved' });
  expect(await api.ended(id)).toMatchObject({ status: 'completed', steps: 2 });
  await expectBoundedHistories(id, 3);
  await expectOneLog(id);
  const shown = JSON.stringify(await api.ok('GET', `/v1/runs/${id}/steps/2/request`));
  expect(shown.match(/message \d+;/g)).toEqual(texts);
  expect(sink.effects().filter((e) => e.key.startsWith(id))).toHaveLength(1);
}, 120_000);

test('several questions, a timer and a call in flight: nothing is asked, slept or executed twice', async () => {
  const hold = sink.holdNext('/look');
  const id = await aRun(
    'mixed',
    [
      calls(
        ['look', { what: 'slow' }],
        ['charge', { what: 'yes' }],
        ['charge', { what: 'no' }],
        ['sleep_until', { for: '4s' }],
      ),
      done(),
    ],
    {
      approve: [{ tool: 'charge' }],
      tools: [...(sinkAgent('x', sink.url) as unknown as { tools: unknown[] }).tools, 'sleep_until'],
    },
  );
  await hold.arrived;
  const [yes, no] = await waitFor('both questions', async () => {
    const pending = await api.pendingApprovals(id);
    return pending.length === 2 && pending.toSorted((a, b) => (a.toolCallId < b.toolCallId ? -1 : 1));
  });
  const first = await currentRunOf(id);
  await sendMessages(
    id,
    Array.from({ length: SUGGESTED_AFTER }, (_, i) => `during ${i}`),
  );
  expect(await currentRunOf(id)).toBe(first); // a call in flight is waited for
  hold.release();
  await waitFor('the hand-over', async () => (await currentRunOf(id)) !== first);
  await handOver(id);
  await api.decide(no as never, 'reject');
  await handOver(id);
  await api.decide(yes as never, 'approve');
  expect(await api.ended(id)).toMatchObject({ status: 'completed', steps: 2 });
  const events = await api.events(id);
  const count = (type: string) => events.filter((e) => e.type === type).length;
  expect([count('approval.requested'), count('approval.decided'), count('tool.returned')]).toEqual([2, 2, 4]);
  expect(
    requestsOf(id)
      .map((r) => r.path)
      .toSorted(),
  ).toEqual(['/charge', '/look']);
  expect(count('message.queued')).toBe(1 + SUGGESTED_AFTER);
  await expectOneLog(id);
}, 120_000);

test('a paused run stays paused; it was paused once and resumed once', async () => {
  const hold = sink.holdNext('/look');
  const id = await aRun('paused', [looks(1), done()]);
  await hold.arrived;
  await api.ok('POST', `/v1/runs/${id}/pause`);
  hold.release();
  await api.runWith(id, 'paused', (r) => r.status === 'paused');
  const { limits } = await handleOf(id).query<{ limits: object }>('getRun');
  for (let i = 0; i < 2 * SUGGESTED_AFTER; i++) await handleOf(id).executeUpdate('raiseLimits', { args: [limits] });
  await expectBoundedHistories(id, 2);
  expect(await api.run(id)).toMatchObject({ status: 'paused' });
  await api.ok('POST', `/v1/runs/${id}/resume`, {});
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
  const types = (await api.events(id)).map((e) => e.type).filter((t) => t === 'run.paused' || t === 'run.resumed');
  expect(types).toEqual(['run.paused', 'run.resumed']);
}, 120_000);

test('an update that is repeated under its id is answered as before and changes nothing', async () => {
  const id = await aRun('repeated', [calls(['charge', { what: 'a' }], ['charge', { what: 'b' }]), done()], {
    approve: [{ tool: 'charge' }],
  });
  const approvals = await waitFor('both questions', async () => {
    const pending = await api.pendingApprovals(id);
    return pending.length === 2 && pending;
  });
  const decision = (decided: string) => ({
    updateId: 'the one id',
    args: [{ approvalId: approvals[0]?.id, decision: decided, by: { kind: 'user', id: 'test' }, scope: 'once' }],
  });
  const first = await handleOf(id).executeUpdate('decideApproval', decision('approve') as never);
  await handleOf(id).executeUpdate('pause', { updateId: 'pause', args: [{ by: 'test' }] } as never);
  await handleOf(id).executeUpdate('resume', { updateId: 'resume', args: [{ by: 'test' }] } as never);
  await handOver(id);
  await handOver(id);
  expect(await handleOf(id).executeUpdate('decideApproval', decision('reject') as never)).toEqual(first);
  expect(first).toEqual({ status: 'approved' });
  await handleOf(id).executeUpdate('pause', { updateId: 'pause', args: [{ by: 'test' }] } as never);
  await handleOf(id).executeUpdate('resume', { updateId: 'resume', args: [{ by: 'test' }] } as never);
  await api.decide(approvals[1] as never, 'reject');
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
  const events = await api.events(id);
  expect(events.filter((e) => e.type === 'approval.decided')).toHaveLength(2);
  expect(events.filter((e) => e.type === 'run.paused')).toEqual([]);
  expect(requestsOf(id)).toHaveLength(1);
}, 120_000);

test('the same decision with the same Idempotency-Key is answered with 200 again, also after a hand-over', async () => {
  const id = await aRun('key', [calls(['charge', { what: 'a' }], ['charge', { what: 'b' }]), done()], {
    approve: [{ tool: 'charge' }],
  });
  const [one, two] = await waitFor('both questions', async () => {
    const pending = await api.pendingApprovals(id);
    return pending.length === 2 && pending;
  });
  const body = { decision: 'approve', argumentsDigest: one?.argumentsDigest };
  const headers = { 'idempotency-key': 'decide-17' };
  const at = `/v1/approvals/${one?.id}/decision`;
  const first = await api.call('POST', at, body, headers);
  await handOver(id);
  expect(await api.call('POST', at, body, headers)).toMatchObject({ status: 200, body: first.body });
  expect(await api.call('POST', at, { ...body, decision: 'reject' }, headers)).toMatchObject({ status: 409 });
  await api.decide(two as never, 'reject');
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
  expect(requestsOf(id)).toHaveLength(1);
}, 120_000);

test('cancel and the deadline hold after a hand-over as before', async () => {
  const asking: Turns = [calls(['charge', { what: 'c' }]), done()];
  const cancelled = await aRun('cancel-after', asking, { approve: [{ tool: 'charge' }] });
  const late = await aRun('late-after', asking, { approve: [{ tool: 'charge' }] }, { limits: { deadline: '8s' } });
  await Promise.all([api.firstApproval(cancelled), api.firstApproval(late)]);
  await Promise.all([handOver(cancelled), handOver(late)]);
  await api.ok('POST', `/v1/runs/${cancelled}/cancel`);
  expect(await api.ended(cancelled)).toMatchObject({ status: 'cancelled' });
  expect(await api.ended(late)).toMatchObject({ status: 'stopped', stopReason: 'limit_time' });
  expect(await api.pendingApprovals(late)).toEqual([]);
}, 120_000);

test('an approval expires at its time after a hand-over', async () => {
  const id = await aRun('expires', [calls(['charge', { what: 'c' }]), done()], {
    approve: [{ tool: 'charge' }],
    approvals: { expiresAfter: '8s' },
  });
  const approval = await api.firstApproval(id);
  await handOver(id);
  await api.ended(id);
  expect(await api.ok('GET', `/v1/approvals/${approval.id}`)).toMatchObject({ status: 'expired' });
  const expired = (await api.events(id)).find((e) => e.type === 'approval.expired');
  expect(Date.parse(expired?.at as string)).toBeGreaterThanOrEqual(Date.parse(approval.expiresAt));
}, 120_000);

test('a run that is to start later may be told things before, however many', async () => {
  const startAt = new Date(Date.now() + 15_000).toISOString();
  const id = await aRun('later', [done('started')], {}, { startAt });
  await sendMessages(
    id,
    Array.from({ length: 2 * SUGGESTED_AFTER }, (_, i) => `early ${i};`),
  );
  expect(await api.run(id)).toMatchObject({ status: 'queued' });
  const ended = await api.ended(id);
  expect(Date.parse(ended.startedAt as string)).toBeGreaterThanOrEqual(Date.parse(startAt));
  const shown = JSON.stringify(await api.ok('GET', `/v1/runs/${id}/steps/1/request`));
  expect(shown.match(/early \d+;/g)).toHaveLength(2 * SUGGESTED_AFTER);
  await expectBoundedHistories(id, 2);
}, 120_000);

test('decisions through the API are taken while the run is being handed over again and again', async () => {
  const asked = Array.from({ length: 6 }, (_, i): [string, Record<string, unknown>] => ['charge', { what: `c${i}` }]);
  const id = await aRun('busy', [calls(...asked), done()], { approve: [{ tool: 'charge' }] });
  const approvals = await waitFor('all questions', async () => {
    const pending = await api.pendingApprovals(id);
    return pending.length === 6 && pending;
  });
  const flooding = new AbortController();
  const flood = (async () => {
    while (!flooding.signal.aborted) await sendMessages(id, ['flood', 'flood', 'flood']);
  })();
  const answers: { status: number }[] = [];
  for (const [i, approval] of approvals.entries()) {
    const before = await currentRunOf(id);
    const body = { decision: i % 2 === 0 ? 'approve' : 'reject', argumentsDigest: approval.argumentsDigest };
    answers.push(await api.call('POST', `/v1/approvals/${approval.id}/decision`, body));
    if (i < 5) await waitFor('another hand-over', async () => (await currentRunOf(id)) !== before);
  }
  flooding.abort();
  await flood.catch(() => undefined); // the run may have ended before it heard so
  expect(answers.map((a) => a.status)).toEqual([200, 200, 200, 200, 200, 200]);
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
  expect(requestsOf(id)).toHaveLength(3);
  await expectOneLog(id);
}, 180_000);
