// Limits, messages, pause, cancel, timers, and a model that makes mistakes.
import { waitFor } from '../../embedded/processes.js';
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
const requestsOf = (id: string) => sink.requests.filter((e) => e.key.startsWith(id));
const looks = (times: number) => ({ ...calls(['look', { what: 'n${turn}' }]), times });

describe('limits', () => {
  test('a run at its step limit makes no further model call, and goes on where it was when the limit is raised', async () => {
    const id = await aRun('steps', [looks(3), done()], {}, { limits: { maxSteps: 2 } });
    expect(await api.ended(id)).toMatchObject({ status: 'stopped', stopReason: 'limit_steps', steps: 2 });
    const refused = await api.call('POST', `/v1/runs/${id}/resume`, {});
    expect(refused).toMatchObject({ status: 409, body: { detail: expect.stringContaining('limits.maxSteps') } });
    await api.ok('POST', `/v1/runs/${id}/resume`, { limits: { maxSteps: 10 } });
    expect(await api.runWith(id, 'completed', (r) => r.status === 'completed')).toMatchObject({ steps: 4 });
    expect((await service.model.bill('steps')).repeated).toEqual([]);
    expect(requestsOf(id)).toHaveLength(3);
  });

  test('tokens and money stop a run before the next call', async () => {
    const tokens = await aRun('tokens', [looks(5), done()], {}, { limits: { maxTokens: 10 } });
    const money = await aRun('money', [looks(5), done()], {}, { limits: { maxCostUsd: '0.000001' } });
    expect(await api.ended(tokens)).toMatchObject({ stopReason: 'limit_tokens', steps: 1 });
    expect(await api.ended(money)).toMatchObject({ stopReason: 'limit_cost', steps: 1 });
  });

  test('no tool call goes over the limit of tool calls', async () => {
    const id = await aRun(
      'tool-calls',
      [calls(['look', { what: 'a' }], ['look', { what: 'b' }], ['look', { what: 'c' }]), done()],
      {},
      {
        limits: { maxToolCalls: 2 },
      },
    );
    expect(await api.ended(id)).toMatchObject({ status: 'stopped', stopReason: 'limit_tool_calls' });
    expect(requestsOf(id)).toHaveLength(0);
  });

  test('the deadline ends a run that waits for a person', async () => {
    const id = await aRun(
      'deadline',
      [calls(['charge', { what: 'd' }]), done()],
      { approve: [{ tool: 'charge' }] },
      {
        limits: { deadline: '2s' },
      },
    );
    expect(await api.ended(id)).toMatchObject({ status: 'stopped', stopReason: 'limit_time' });
    expect(await api.pendingApprovals(id)).toEqual([]);
  });
});

describe('steering', () => {
  test('a message sent during the last model call is answered before the run completes', async () => {
    await service.model.holdAt({ name: 'last', script: 'messaged', turn: 0, at: 'beforeStop' });
    const id = await aRun('messaged', [
      done('first answer'),
      { expect: { lastUserContains: 'and another thing' }, reply: [{ text: 'second answer' }] },
    ]);
    await service.model.waitForHold('last');
    await api.ok('POST', `/v1/runs/${id}/messages`, { content: 'and another thing' });
    await service.model.release('last');
    expect(await api.ended(id)).toMatchObject({ status: 'completed', steps: 2, output: { text: 'second answer' } });
    const late = await api.call('POST', `/v1/runs/${id}/messages`, { content: 'too late' });
    expect(late).toMatchObject({ status: 409, body: { type: expect.stringMatching(/run-closed$/) } });
  });

  test('a message can be sent by a Temporal signal', async () => {
    const hold = sink.holdNext('/look');
    const id = await aRun('signal-message', [
      looks(1),
      { expect: { lastUserContains: 'by signal' }, reply: [{ text: 'heard' }] },
    ]);
    await hold.arrived;
    await service.temporal.workflow.getHandle(`agent-run-${id}`).signal('message', { content: 'by signal' });
    await waitFor('the message', async () => {
      const events = await api.events(id);
      return events.filter((e) => e.type === 'message.queued').length === 2;
    });
    hold.release();
    expect(await api.ended(id)).toMatchObject({ output: { text: 'heard' } });
  });

  test('a paused run makes no model call until it is resumed', async () => {
    const hold = sink.holdNext('/look');
    const id = await aRun('paused', [looks(1), done()]);
    await hold.arrived;
    await api.ok('POST', `/v1/runs/${id}/pause`);
    hold.release();
    await api.runWith(id, 'paused', (r) => r.status === 'paused');
    expect((await service.model.journal('paused')).length).toBe(1);
    await api.ok('POST', `/v1/runs/${id}/resume`, {});
    expect(await api.ended(id)).toMatchObject({ status: 'completed' });
    const types = (await api.events(id)).map((e) => e.type);
    expect(types).toContain('run.paused');
    expect(types).toContain('run.resumed');
  });

  test('cancel closes the model call and says who asked and why', async () => {
    await service.model.holdAt({ name: 'cancelled', script: 'cancelled', turn: 0, at: 'afterFirstDelta' });
    const id = await aRun('cancelled', [done('a text of more than one delta, so that it is held in the middle')]);
    await service.model.waitForHold('cancelled');
    await api.ok('POST', `/v1/runs/${id}/cancel`, { reason: 'wrong letter' });
    expect(await api.ended(id)).toMatchObject({ status: 'cancelled' });
    expect((await service.model.journal('cancelled')).map((e) => e.status)).toEqual(['aborted']);
    const last = (await api.events(id)).at(-1);
    expect(last).toMatchObject({ type: 'run.cancelled', actor: { kind: 'key' }, data: { reason: 'wrong letter' } });
  });

  test('cancel during an approval leaves no question open and executes nothing', async () => {
    const id = await aRun('cancel-ask', [calls(['charge', { what: 'c' }]), done()], { approve: [{ tool: 'charge' }] });
    const approval = await api.firstApproval(id);
    await api.ok('POST', `/v1/runs/${id}/cancel`);
    expect(await api.ended(id)).toMatchObject({ status: 'cancelled' });
    expect(await api.ok('GET', `/v1/approvals/${approval.id}`)).toMatchObject({ status: 'cancelled' });
    expect(requestsOf(id)).toEqual([]);
  });

  test('a run sleeps on a durable timer and goes on', async () => {
    const id = await aRun(
      'sleeper',
      [
        calls(['sleep_until', { for: '1s' }]),
        { expect: { toolResult: { tool: 'sleep_until', contains: 'It is now' } }, reply: [{ text: 'awake' }] },
      ],
      { tools: ['sleep_until'] },
    );
    await api.waiting(id, 'timer');
    expect(await api.ended(id)).toMatchObject({ status: 'completed', output: { text: 'awake' } });
  });

  test('a run that is to start later is queued until then', async () => {
    const startAt = new Date(Date.now() + 1500).toISOString();
    const id = await aRun('later', [done()], {}, { startAt });
    expect(await api.run(id)).toMatchObject({ status: 'queued', startAt });
    const ended = await api.ended(id);
    expect(Date.parse(ended.startedAt as string)).toBeGreaterThanOrEqual(Date.parse(startAt));
  });

  test('calls of one step run at the same time, up to the limit of the agent', async () => {
    const holds = [sink.holdNext('/look'), sink.holdNext('/look'), sink.holdNext('/look')];
    const four = ['a', 'b', 'c'].map((what): [string, Record<string, unknown>] => ['look', { what }]);
    const id = await aRun('parallel', [calls(...four), done()], { limits: { parallelTools: 2 } });
    await Promise.all([holds[0]?.arrived, holds[1]?.arrived]);
    expect(requestsOf(id)).toHaveLength(2);
    holds[0]?.release();
    await holds[2]?.arrived;
    for (const hold of holds) hold.release();
    expect(await api.ended(id)).toMatchObject({ status: 'completed', usage: { toolCalls: 3 } });
  });
});

describe('a model that makes mistakes', () => {
  const told = (tool: string, contains: string) => ({
    expect: { toolResult: { tool, contains, isError: true } },
    reply: [{ text: 'I see.' }],
  });

  test('an unknown tool and wrong arguments come back as errors that say how to repair them', async () => {
    const unknown = await aRun('unknown-tool', [calls(['lok', { what: 'a' }]), told('lok', 'did you mean look?')]);
    const wrong = await aRun('wrong-arguments', [calls(['look', { wat: 1 }]), told('look', 'what is missing')]);
    expect(await api.ended(unknown)).toMatchObject({ status: 'completed' });
    expect(await api.ended(wrong)).toMatchObject({ status: 'completed' });
    expect([...requestsOf(unknown), ...requestsOf(wrong)]).toEqual([]);
  });

  test('calls with the same id are not executed, none of them', async () => {
    const same = (what: string) => ({ tool: 'charge', input: { what }, id: 'toolu_same' });
    const id = await aRun('same-id', [{ reply: [same('a'), same('b')] }, done('noticed')]);
    expect(await api.ended(id)).toMatchObject({ status: 'completed', output: { text: 'noticed' } });
    expect(requestsOf(id)).toEqual([]);
  });

  test('a call that was cut off is not executed; the model may try again, but not for ever', async () => {
    const cutOff = { ...calls(['charge', { what: 'cut' }]), stopReason: 'max_tokens' };
    const once = await aRun('cut-off', [cutOff, told('charge', 'cut off')]);
    const always = await aRun('always-cut-off', [{ ...cutOff, times: 9 }]);
    expect(await api.ended(once)).toMatchObject({ status: 'completed' });
    expect(await api.ended(always)).toMatchObject({ status: 'stopped', stopReason: 'max_tokens' });
    expect([...requestsOf(once), ...requestsOf(always)]).toEqual([]);
  });

  test('a refusal stops the run with its reason', async () => {
    const id = await aRun('refusal', [{ reply: [{ text: 'No.' }], stopReason: 'refusal' }]);
    expect(await api.ended(id)).toMatchObject({ status: 'stopped', stopReason: 'refusal' });
  });
});

describe('trouble outside', () => {
  test('a provider that is overloaded is tried again, and each failure is an event', async () => {
    const fault = { kind: 'status' as const, status: 529, times: 2 };
    const id = await aRun('overloaded', [{ reply: [{ text: 'at last' }], fault }]);
    expect(await api.ended(id)).toMatchObject({ status: 'completed', output: { text: 'at last' } });
    const failures = (await api.events(id)).filter((e) => e.type === 'model.failed');
    expect(failures.map((e) => e.data['type'])).toEqual(['ModelOverloaded', 'ModelOverloaded']);
  });

  test('a request that the provider refuses fails the run with its reason', async () => {
    const fault = { kind: 'status' as const, status: 400, times: 'always' as const, message: 'no such thing' };
    const id = await aRun('refused', [{ reply: [], fault }]);
    expect(await api.ended(id)).toMatchObject({ status: 'failed', error: { type: 'ModelRequestRejected' } });
  });

  test('without a model key the run waits and says which key', async () => {
    await api.putAgent({ ...sinkAgent('keyless', sink.url), model: 'claude-sonnet-5-5' });
    const { id } = await api.startRun('keyless');
    const run = await api.waiting(id, 'model');
    expect(run.waiting?.reason).toContain('ANTHROPIC_API_KEY');
    await api.ok('POST', `/v1/runs/${id}/cancel`);
    expect(await api.ended(id)).toMatchObject({ status: 'cancelled' });
  });

  test('a read tool that answers 503 is tried again; an irreversible one is unknown after the first', async () => {
    sink.answerNext('/look', 503);
    sink.answerNext('/launch', 503);
    const id = await aRun('unavailable', [calls(['look', { what: 'l' }], ['launch', { what: 'x' }]), done()]);
    expect(await api.ended(id)).toMatchObject({ status: 'completed' });
    expect(
      requestsOf(id)
        .map((r) => r.path)
        .toSorted(),
    ).toEqual(['/launch', '/look', '/look']);
    const outcomes = (await api.events(id))
      .filter((e) => e.type === 'tool.returned')
      .map((e) => [e.data['tool'], e.data['outcome']]);
    expect(new Map(outcomes as [string, string][])).toEqual(
      new Map([
        ['look', 'succeeded'],
        ['launch', 'unknown'],
      ]),
    );
  });

  test('a 4xx of a tool is an error result for the model, with the body', async () => {
    sink.answerNext('/charge', 422, '{"error":"no such order"}');
    const id = await aRun('mistake', [
      calls(['charge', { what: 'm' }]),
      { expect: { toolResult: { tool: 'charge', contains: 'no such order', isError: true } }, reply: [{ text: 'ok' }] },
    ]);
    expect(await api.ended(id)).toMatchObject({ status: 'completed' });
    expect(requestsOf(id)).toHaveLength(1);
  });
});

// Fewer steps than a history has before it is handed over.
test('history grows by the same number of bytes at every step, whatever the conversation holds', async () => {
  const sizes: number[] = [];
  for (const steps of [10, 30, 50]) {
    const id = await aRun(`history-${steps}`, [looks(steps), done()], { limits: { maxSteps: 200 } });
    await api.ended(id, 120_000);
    const { workflowExecutionInfo } = await service.temporal.workflowService.describeWorkflowExecution({
      namespace: service.namespace,
      execution: { workflowId: `agent-run-${id}` },
    });
    sizes.push(Number(workflowExecutionInfo?.historySizeBytes));
  }
  const [first, second, third] = sizes as [number, number, number];
  const early = (second - first) / 20;
  const late = (third - second) / 20;
  expect(late / early).toBeGreaterThan(0.95);
  expect(late / early).toBeLessThan(1.05);
}, 180_000);
