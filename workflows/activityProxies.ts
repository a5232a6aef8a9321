// The one table of timeouts, retries and heartbeats. Activities are idempotent by (run, step) and (run, tool call),
// so every one of them may be tried again; what a second attempt may do is decided in the activity, on stored rows.
import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { CallModelResult, StepInput, ToolCallControl, ToolCallInput } from '../contracts/agentRun.js';
import type { createActivities } from '../activities/index.js';
import { taskQueues } from './protocol.js';

type Activities = ReturnType<typeof createActivities>;

/** How long a dead worker can go unnoticed while it had a call in flight. Activities beat every second. */
const HEARTBEAT_TIMEOUT = '6 seconds';

const model = proxyActivities<Pick<Activities, 'callModel'>>({
  taskQueue: taskQueues.models,
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

const rows = proxyActivities<Omit<Activities, 'callModel' | 'executeTool'>>({
  startToCloseTimeout: '10 seconds', // one transaction; longer than the pool waits for a connection is a dead worker
  retry: { initialInterval: '200 milliseconds', backoffCoefficient: 2, maximumInterval: '10 seconds' },
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
});

export const { requestApproval, recordDecision, recordWait, recordPause, recordIgnoredSignal, queueMessage, closeRun } =
  rows;

export const callModel = (step: StepInput): Promise<CallModelResult> =>
  model.callModel.executeWithOptions({ summary: `step ${step.step}` }, [step]);

export const executeTool = (call: ToolCallControl, input: ToolCallInput) =>
  tool.executeTool.executeWithOptions(
    {
      summary: call.summary,
      taskQueue: call.queue ?? taskQueues.tools,
      startToCloseTimeout: call.timeoutMs + TOOL_MARGIN_MS,
    },
    [input],
  );
