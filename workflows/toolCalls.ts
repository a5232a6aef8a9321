// One step's tool calls: questions to people, timers, and as many executions at once as the agent allows.
import { CancellationScope, condition } from '@temporalio/workflow';
import type { PendingApproval, RunStopReason, StepInput, ToolCallControl } from '../contracts/agentRun.js';
import { executeTool, recordDecision, recordWait, requestApproval } from './activityProxies.js';
import type { RunState } from './runState.js';
import { Semaphore } from './semaphore.js';
import { showStatus } from './status.js';

/** Runs every call to its stored result. Returns a reason when a limit forbids to begin. */
export async function runToolCalls(
  run: RunState,
  step: StepInput,
  calls: readonly ToolCallControl[],
): Promise<RunStopReason | undefined> {
  const open = calls.filter((call) => call.next !== 'settled');
  if (!run.takeToolCalls(open.length)) return 'limit_tool_calls';
  run.phase = 'tools';
  const slots = new Semaphore(run.control.parallelTools);
  const results = await Promise.allSettled(open.map((call) => runOne(run, step, call, slots)));
  // Every call has come to rest before a cancellation goes on: a call without a result makes the conversation unusable.
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  return undefined;
}

async function runOne(run: RunState, step: StepInput, call: ToolCallControl, slots: Semaphore): Promise<void> {
  const input = { ...step, toolCallId: call.toolCallId };
  if (call.next === 'ask' && (await askPerson(run, step, call, call.approval)) === 'settled') return;
  if (call.next === 'sleep' && call.untilMs !== undefined) {
    await recordWait({ ...input, untilMs: call.untilMs });
    showStatus(run, 'waiting');
    await condition(() => false, Math.max(1, call.untilMs - Date.now()), { summary: call.summary });
    showStatus(run, 'running');
  }
  for (;;) {
    const end = await slots.with(() => executeTool(call, input));
    if (end.outcome !== 'asks') return;
    // Nobody knows whether it happened. Only a person's word that it did not lets it run again.
    if ((await askPerson(run, step, call, end.approval)) === 'settled') return;
  }
}

async function askPerson(
  run: RunState,
  step: StepInput,
  call: ToolCallControl,
  approval: PendingApproval | undefined,
): Promise<'execute' | 'settled'> {
  if (!approval) throw new Error(`tool call ${call.toolCallId} asks without an approval`);
  const question = run.ask(approval); // before it is stored: an answer can never come too early
  try {
    const asked = await requestApproval({ ...step, toolCallId: call.toolCallId, approval }, call);
    // A late result came before the question. Older histories have no answer here.
    if ((asked as typeof asked | undefined)?.settled) return 'settled';
    showStatus(run, 'waiting');
    const wait = Math.max(1, approval.expiresAtMs - Date.now());
    await condition(() => question.decision !== undefined, wait, { summary: `${approval.kind} of ${call.summary}` });
    const decision = (question.decision ??= {
      approvalId: approval.approvalId,
      decision: 'expire',
      by: { kind: 'system', id: 'timer' },
    });
    const recorded = await CancellationScope.nonCancellable(() =>
      recordDecision({ ...step, toolCallId: call.toolCallId, decision }),
    );
    question.recorded = recorded;
    return recorded.next;
  } finally {
    question.recorded ??= { next: 'settled', status: 'cancelled' }; // releases an update that waits for it
    run.answered(question);
    if (!run.waitsForPeople) showStatus(run, 'running');
  }
}
