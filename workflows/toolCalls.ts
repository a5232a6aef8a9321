// One step's tool calls: questions to people, timers, and as many executions at once as the agent allows.
import { CancellationScope, condition } from '@temporalio/workflow';
import type {
  AskedQuestion,
  OpenToolCall,
  RunStopReason,
  StepInput,
  ToolCallControl,
  ToolCallInput,
} from '../contracts/agentRun.js';
import { executeTool, recordDecision, recordNotice, recordWait, requestApproval } from './activityProxies.js';
import { waitForBudget } from './budget.js';
import type { Question, RunState } from './runState.js';
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
  run.openStep(step.step, open);
  await finishToolCalls(run, step, open);
  return undefined;
}

/** Runs those without a result to theirs; some may wait since before a hand-over. */
export async function finishToolCalls(run: RunState, step: StepInput, calls: readonly OpenToolCall[]): Promise<void> {
  run.phase = 'tools';
  const slots = new Semaphore(run.control.parallelTools);
  const results = await Promise.allSettled(calls.map((call) => runOne(run, step, call, slots)));
  // Every call has come to rest before a cancellation goes on: a call without a result makes the conversation unusable.
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  run.closeStep();
}

async function runOne(run: RunState, step: StepInput, call: OpenToolCall, slots: Semaphore): Promise<void> {
  let input: ToolCallInput = { ...step, toolCallId: call.toolCallId };
  for (;;) {
    if (call.next === 'ask' && (await askPerson(run, step, call)) === 'settled') break;
    if (call.next === 'sleep') await sleepUntil(run, call, input);
    comeTo(call, 'execute');
    const seen = run.limitChanges;
    const end = await slots.with(() => run.underWay(() => executeTool(call, input)));
    if (end.outcome === 'waits') {
      await waitForBudget(run, { untilMs: end.untilMs, what: call.summary, seen });
      input = { ...input, queued: true };
      continue;
    }
    if (end.outcome !== 'asks') {
      run.watchLoop(end);
      break;
    }
    // Nobody knows whether it happened. Only a person's word that it did not lets it run again.
    comeTo(call, 'ask');
    call.approval = end.approval;
  }
  run.hasResult(call.toolCallId);
}

function comeTo(call: OpenToolCall, next: OpenToolCall['next']): void {
  call.next = next;
  delete call.waits;
}

async function sleepUntil(run: RunState, call: OpenToolCall, input: ToolCallInput): Promise<void> {
  const { untilMs } = call;
  if (untilMs === undefined) return;
  if (!call.waits) await run.underWay(() => recordWait({ ...input, untilMs }));
  call.waits = true;
  showStatus(run, 'waiting');
  await condition(() => false, Math.max(1, untilMs - Date.now()), { summary: call.summary });
  showStatus(run, 'running');
}

/** Reminds of a question that nobody answers, and gives it to somebody else, at their times. */
async function giveNotices(run: RunState, question: Question, call: OpenToolCall): Promise<void> {
  const { notices = [], approvalId } = question.approval;
  const isAnswered = () => question.decision !== undefined;
  for (let next = notices[0]; next && !isAnswered(); next = notices[0]) {
    const { notice, atMs } = next;
    const left = Math.max(1, atMs - Date.now());
    if (await condition(isAnswered, left, { summary: `${call.summary}: ${notice} if nobody answers` })) return;
    await run.underWay(() => recordNotice({ agentRunId: run.agentRunId, approvalId, notice }));
    notices.shift();
  }
}

async function askPerson(run: RunState, step: StepInput, call: OpenToolCall): Promise<'execute' | 'settled'> {
  const { approval } = call;
  if (!approval) throw new Error(`tool call ${call.toolCallId} asks without an approval`);
  const question = run.ask(approval); // before it is stored: an answer can never come too early
  try {
    if (!call.waits) {
      const input = { ...step, toolCallId: call.toolCallId, approval };
      // Older histories have no answer here.
      const asked: AskedQuestion | undefined = await run.underWay(() => requestApproval(input, call));
      if (asked?.settled) return 'settled';
      if (asked?.decided) return (question.recorded = asked.decided).next;
    }
    call.waits = true;
    showStatus(run, 'waiting');
    await giveNotices(run, question, call);
    const wait = Math.max(1, approval.expiresAtMs - Date.now());
    await condition(() => question.decision !== undefined, wait, { summary: `${approval.kind} of ${call.summary}` });
    const decision = (question.decision ??= {
      approvalId: approval.approvalId,
      decision: 'expire',
      by: { kind: 'system', id: 'timer' },
    });
    const recorded = await CancellationScope.nonCancellable(() =>
      run.underWay(() => recordDecision({ ...step, toolCallId: call.toolCallId, decision })),
    );
    question.recorded = recorded;
    return recorded.next;
  } finally {
    question.recorded ??= { next: 'settled', status: 'cancelled' }; // releases an update that waits for it
    run.answered(question);
    if (!run.waitsForPeople) showStatus(run, 'running');
  }
}
