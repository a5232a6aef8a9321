// The rules that a run's workflow keeps between steps.
import type { RunControl } from '../../contracts/agentRun.js';
import { RunState } from '../../workflows/runState.js';
import { Semaphore } from '../../workflows/semaphore.js';

const control = (more: Partial<RunControl['limits']> = {}): RunControl => ({
  agentName: 'a',
  tenantId: 't',
  limits: { maxSteps: 10, maxTokens: 1000, maxCostNanoUsd: 1000, maxToolCalls: 3, deadlineMs: 1e15, ...more },
  used: { steps: 0, tokens: 0, costNanoUsd: 0, toolCalls: 0 },
  parallelTools: 2,
  signalsDecide: true,
});
const aRun = (more: Partial<RunControl['limits']> = {}) =>
  new RunState({ agentRunId: 'run_1', control: control(more) });
const question = { approvalId: 'apr_1', argumentsDigest: 'd', kind: 'approval' as const, expiresAtMs: 1e15 };
const approve = { approvalId: 'apr_1', decision: 'approve' as const, by: { kind: 'key' as const, id: 'k' } };

test('steps count from one, and each limit stops the run when it is used up', () => {
  const run = aRun({ maxSteps: 1 });
  expect(run.nextStep()).toEqual({ agentRunId: 'run_1', step: 1 });
  expect(run.limitReached()).toBeUndefined();
  run.charge({ tokens: 5, costNanoUsd: 5 });
  expect(run.limitReached()).toBe('limit_steps');
  expect(run.leave().control.used).toEqual({ steps: 1, tokens: 5, costNanoUsd: 5, toolCalls: 0 });
});

test('calls that would go over the limit are not taken, not even some of them', () => {
  const run = aRun();
  expect([run.takeToolCalls(2), run.takeToolCalls(2), run.takeToolCalls(1)]).toEqual([true, false, true]);
});

test('a question takes one decision, with the digest that was shown, and none when it is not open', () => {
  const run = aRun();
  expect(run.refusal(approve)).toBe('ApprovalNotPending');
  run.ask(question);
  expect(run.refusal({ ...approve, argumentsDigest: 'other' })).toBe('ApprovalDigestMismatch');
  expect(run.refusal({ ...approve, argumentsDigest: 'd' })).toBeUndefined();
  run.decide(approve);
  expect(run.refusal({ ...approve, decision: 'reject' })).toBe('ApprovalNotPending');
});

test('a question to a person takes an answer or a refusal, and no approval', () => {
  const run = aRun();
  run.ask({ ...question, kind: 'input' });
  expect(run.refusal(approve)).toBe('DecisionNotTaken');
  expect(run.refusal({ ...approve, decision: 'respond' })).toBeUndefined();
});

test('no more pieces of work run at once than there are slots, and all of them run', async () => {
  const slots = new Semaphore(2);
  let running = 0;
  let most = 0;
  const done = await Promise.all(
    Array.from({ length: 9 }, (_, i) =>
      slots.with(async () => {
        most = Math.max(most, ++running);
        await Promise.resolve();
        running -= 1;
        return i;
      }),
    ),
  );
  expect(done).toHaveLength(9);
  expect(most).toBe(2);
});
