// The one table of timeouts, retries and heartbeats. Activities are idempotent by (run, step) and (run, tool call),
// so every one of them may be tried again; what a second attempt may do is decided in the activity, on stored rows.
// Call them through RunState.underWay: a run is handed over to a new Temporal run only when none is in flight.
import {
  ActivityCancellationType,
  ActivityFailure,
  ApplicationFailure,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
} from '@temporalio/workflow';
import type {
  CallModelHeld,
  CallModelResult,
  ModelCallInput,
  ToolCallControl,
  ToolCallEnd,
  ToolCallInput,
} from '../contracts/agentRun.js';
import type { CloseRunInput } from '../activities/closeRun.js';
import type { RecordSignalsInput } from '../activities/signals.js';
import type { CompensateInput, UndoInput } from '../contracts/undo.js';
import type { createActivities } from '../activities/index.js';
import type { RecordDecisionInput } from '../activities/recordDecision.js';
import type { RecordNoticeInput } from '../activities/recordNotice.js';
import type { RecordVoteInput } from '../activities/recordVote.js';
import type { RequestApprovalInput } from '../activities/requestApproval.js';
import { taskQueues } from '../contracts/queues.js';

type Activities = ReturnType<typeof createActivities>;

/** How long a dead worker can go unnoticed while it had a call in flight. Activities beat every second. */
const HEARTBEAT_TIMEOUT = '6 seconds';

const model = proxyActivities<Pick<Activities, 'callModel'>>({
  taskQueue: taskQueues.runs,
  startToCloseTimeout: '20 minutes', // a stream that hangs is given up by the provider's own time-outs long before
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  // Unlimited here: the activity itself gives up after its outage window, which it reads from the run's row.
  retry: { initialInterval: '200 milliseconds', backoffCoefficient: 2, maximumInterval: '60 seconds' },
  // The call's socket is closed and what was billed is recorded before the run goes on to close.
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
});

/** Added to a tool's own timeout: time to claim before and to store the result after. */
const TOOL_MARGIN_MS = 30_000;

const tool = proxyActivities<Pick<Activities, 'executeTool'>>({
  startToCloseTimeout: '10 minutes', // replaced by each tool's own timeout
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  // Unlimited here: attempts are counted in the tool call's row, and by effect a second one may not run the tool.
  retry: { initialInterval: '200 milliseconds', backoffCoefficient: 2, maximumInterval: '60 seconds' },
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED, // the run learns what became of the tool
});

const localTool = proxyLocalActivities<Pick<Activities, 'executeToolLocally'>>({
  startToCloseTimeout: '10 seconds', // gives way to an activity of its own long before
  retry: { maximumAttempts: 1 },
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
});

const servers = proxyActivities<Pick<Activities, 'pinTools'>>({
  taskQueue: taskQueues.runs,
  startToCloseTimeout: '2 minutes', // each server has limits of its own, to start and to list
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  // About a quarter of a minute: a server that does not come back in that time is a person's business, and the run can be resumed.
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '15 seconds', maximumAttempts: 5 },
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
});

const undo = proxyActivities<Pick<Activities, 'compensateCall'>>({
  startToCloseTimeout: '10 minutes', // replaced by each tool's own timeout
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  // Unlimited here: attempts are counted in the row, and the last one says that it failed.
  retry: { initialInterval: '200 milliseconds', backoffCoefficient: 2, maximumInterval: '60 seconds' },
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
});

const rows = proxyActivities<
  Omit<Activities, 'callModel' | 'executeTool' | 'executeToolLocally' | 'pinTools' | 'compensateCall'>
>({
  taskQueue: taskQueues.rows,
  startToCloseTimeout: '10 seconds', // one transaction; longer than the pool waits for a connection is a dead worker
  retry: { initialInterval: '200 milliseconds', backoffCoefficient: 2, maximumInterval: '10 seconds' },
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
});

export const { pinTools } = servers;
export const { finishUndo } = rows;
export const { checkEdit, recordWait, recordPause, recordIgnoredSignal, queueMessage } = rows;

export const recordSignals = (input: RecordSignalsInput) =>
  rows.recordSignals.executeWithOptions({ summary: `${input.signals.length} signal(s)` }, [input]);

export const requestApproval = (input: RequestApprovalInput, call: ToolCallControl) =>
  rows.requestApproval.executeWithOptions({ summary: call.summary }, [input]);

export const recordVote = (input: RecordVoteInput) =>
  rows.recordVote.executeWithOptions({ summary: `${input.decision.decision} by ${input.decision.by.id}` }, [input]);

export const recordNotice = (input: RecordNoticeInput) =>
  rows.recordNotice.executeWithOptions({ summary: input.notice }, [input]);

export const recordDecision = (input: RecordDecisionInput) =>
  rows.recordDecision.executeWithOptions({ summary: `${input.decision.decision} by ${input.decision.by.id}` }, [input]);

export const closeRun = (input: CloseRunInput) =>
  rows.closeRun.executeWithOptions({ summary: input.outcome.status }, [input]);

export const callModel = (step: ModelCallInput): Promise<CallModelResult | CallModelHeld> =>
  model.callModel.executeWithOptions({ summary: `step ${step.step}` }, [step]);

export const compensateCall = (input: CompensateInput, call: UndoInput['calls'][number]): Promise<void> =>
  undo.compensateCall.executeWithOptions(
    {
      summary: `take back ${call.tool}`,
      taskQueue: call.queue ?? taskQueues.runs,
      startToCloseTimeout: call.timeoutMs + TOOL_MARGIN_MS,
    },
    [input],
  );

/** A short read runs within the workflow task: half the price of a step. What that cannot finish is an activity. */
export async function executeTool(call: ToolCallControl, input: ToolCallInput): Promise<ToolCallEnd> {
  const local = call.local && (await runLocally(call, input, call.local.tool));
  if (local) return local;
  return tool.executeTool.executeWithOptions(
    {
      summary: call.summary,
      taskQueue: call.queue ?? taskQueues.runs,
      startToCloseTimeout: call.timeoutMs + TOOL_MARGIN_MS,
    },
    [input],
  );
}

const isFinal = (err: unknown): boolean =>
  err instanceof ActivityFailure && err.cause instanceof ApplicationFailure && err.cause.nonRetryable === true;

async function runLocally(
  call: ToolCallControl,
  input: ToolCallInput,
  toolName: string,
): Promise<ToolCallEnd | undefined> {
  try {
    const run = localTool.executeToolLocally;
    const end = await run.executeWithOptions({ summary: call.summary }, [input, toolName]);
    return end.outcome === 'moved' ? undefined : end;
  } catch (err) {
    if (isCancellation(err) || isFinal(err)) throw err;
    return undefined; // trouble with the database or the destination: the activity is retried until it is over
  }
}
