// One agent run: a model call, the tool calls it asks for, and again, until there is an outcome.
// The conversation is in PostgreSQL. This workflow keeps control state only: ids, counts, limits.
import {
  CancellationScope,
  TemporalFailure,
  allHandlersFinished,
  condition,
  isCancellation,
} from '@temporalio/workflow';
import type { AgentRunInput, RunOutcome } from '../contracts/agentRun.js';
import { callModel, closeRun, pinTools, recordPause } from './activityProxies.js';
import { waitForBudget } from './budget.js';
import { withDeadline } from './deadline.js';
import { handingOver, stepBoundary } from './handOver.js';
import { registerHandlers } from './handlers.js';
import { outcomeOf, outcomeOfStop } from './outcomes.js';
import { RunState } from './runState.js';
import { allWrittenDown } from './signals.js';
import { showStatus } from './status.js';
import { finishToolCalls, runToolCalls } from './toolCalls.js';

export async function agentRun(input: AgentRunInput): Promise<RunOutcome> {
  const run = new RunState(input);
  registerHandlers(run); // before the first await: an update without a handler would be refused

  let outcome: RunOutcome;
  try {
    outcome = await handingOver(run, async () => {
      await startTime(run);
      return withDeadline(run, () => stepUntilOutcome(run));
    });
  } catch (err) {
    // Only a failure that Temporal delivered ends a run. A bug of ours fails the workflow task instead and is
    // retried until fixed code is deployed. Continue-as-new leaves through here as well.
    if (!(err instanceof TemporalFailure)) throw err;
    outcome = isCancellation(err) ? { status: 'cancelled' } : outcomeOf(err);
  }
  if (outcome.status !== 'completed') {
    run.phase = 'closing';
    const last = outcome;
    await CancellationScope.nonCancellable(async () => {
      await allWrittenDown(run); // after a resume the model is told what came before the end
      await closeRun({ agentRunId: run.agentRunId, outcome: last });
    });
  }
  showStatus(run, outcome.status);
  await CancellationScope.nonCancellable(() => condition(() => allHandlersFinished() && run.inbox.length === 0));
  return outcome;
}

/** A run that was asked to start later is queued until then. */
async function startTime(run: RunState): Promise<void> {
  const wait = (run.control.startAtMs ?? 0) - Date.now();
  if (run.control.used.steps === 0 && wait > 0) {
    await condition(() => false, wait, { summary: 'start of the run' });
  }
}

async function stepUntilOutcome(run: RunState): Promise<RunOutcome> {
  // No run from before there were MCP servers has any.
  if (run.control.mcp && run.control.used.steps === 0) {
    await run.underWay(() => pinTools({ agentRunId: run.agentRunId }));
  }
  const open = run.stepInTheMiddle;
  if (open) await finishToolCalls(run, open.step, open.calls);
  for (;;) {
    if (run.paused || run.pauseRecorded) await pauseUntilResumed(run);
    await stepBoundary(run);
    const limit = run.limitReached();
    if (limit) return { status: 'stopped', reason: limit };

    const step = run.nextStep();
    showStatus(run, 'running');
    const seen = run.limitChanges;
    const reply = await run.underWay(() => callModel({ ...step, toolCallsLeft: run.toolCallsLeft }));
    if ('heldUntilMs' in reply) {
      run.queued = true;
      run.phase = 'waiting';
      await waitForBudget(run, { untilMs: reply.heldUntilMs, what: `step ${step.step}`, seen, orPause: true });
      continue;
    }
    const { stopReason, toolCalls, ...charge } = reply;
    run.charge(charge);
    run.watchLoop(charge);

    if (toolCalls.length > 0) {
      if (run.cutOffTooOften(stopReason)) return { status: 'stopped', reason: 'max_tokens' };
      const stopped = await runToolCalls(run, step, toolCalls); // approvals, fan-out, one stored result per call
      if (stopped) return { status: 'stopped', reason: stopped };
      continue;
    }
    switch (stopReason) {
      case 'tool_use': // without a call in it: the model is asked to go on
      case 'pause_turn': // a server-side tool needs another call to finish
        continue;
      case 'end_turn':
      case 'stop_sequence': {
        run.phase = 'closing';
        await allWrittenDown(run); // a message among them is to be answered
        const { closed } = await run.underWay(() =>
          closeRun({ agentRunId: run.agentRunId, outcome: { status: 'completed' } }),
        );
        if (closed) return { status: 'completed' };
        continue; // a message came while the model was answering
      }
      case 'max_tokens':
      case 'refusal':
      case 'model_context_window_exceeded':
      case 'unknown':
        return outcomeOfStop(stopReason);
      default:
        stopReason satisfies never; // a new stop reason is a compile error here first
        throw new Error(`unhandled stop reason ${String(stopReason)}`);
    }
  }
}

async function pauseUntilResumed(run: RunState): Promise<void> {
  run.phase = 'paused';
  if (!run.pauseRecorded) {
    await run.underWay(() => recordPause({ agentRunId: run.agentRunId, paused: true, by: run.pausedBy }));
    run.pauseRecorded = true;
    showStatus(run, 'paused');
  }
  await condition(() => !run.paused);
  await run.underWay(() => recordPause({ agentRunId: run.agentRunId, paused: false, by: run.pausedBy }));
  run.pauseRecorded = false;
}
