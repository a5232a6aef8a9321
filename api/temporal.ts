// The API's side of Temporal: start a run's workflow, cancel it, and updates that must be answered in time.
import { setTimeout } from 'node:timers/promises';
import {
  type Client,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  type WorkflowStartOptions,
} from '@temporalio/client';
import { ApplicationFailure, defineSearchAttributeKey } from '@temporalio/common';
import type { AgentRunInput, ApprovalDecision, ControlLimits } from '../contracts/agentRun.js';
import { type UpdateRefusal, updateRefusals } from '../contracts/failures.js';
import { workflowIdOf } from '../contracts/ids.js';
import { UNDO_WORKFLOW_TYPE, type UndoInput, undoWorkflowIdOf } from '../contracts/undo.js';
import { taskQueues } from '../contracts/queues.js';
import { WORKFLOW_TYPE, limitsChanged, searchAttributes } from '../workflows/protocol.js';

/** How long a request waits for a worker to take an update, in milliseconds. */
const UPDATE_MS = 10_000;
/** How long a request waits for Temporal itself. After it the caller is answered and the sweep goes on. */
const SERVER_MS = 3000;
/** How long a resumed run's workflow waits for the execution before it, which ends right after its row. */
const PREVIOUS_MS = 3000;
const PREVIOUS_POLL_MS = 50;
/** A worker that died in the middle of a workflow task is waited for this long; replaying a long history takes one. */
const WORKFLOW_TASK_TIMEOUT = '5 seconds';

/** Why an update was not carried out. */
export type UpdateFailure = { ok: false; why: UpdateRefusal | 'NoWorker' | 'NoWorkflow' };
export type UpdateAnswer = { ok: true } | UpdateFailure;

export interface RunWorkflows {
  /** Starts this execution (1, and one more at each resume) of the run's workflow unless it is there already. */
  start(input: AgentRunInput, execution: number, installation: string): Promise<void>;
  /** False: there is no open workflow. */
  cancel(agentRunId: string): Promise<boolean>;
  decideApproval(agentRunId: string, decision: ApprovalDecision, updateId: string): Promise<UpdateAnswer>;
  pause(agentRunId: string, by: string): Promise<UpdateAnswer>;
  resume(agentRunId: string, by: string, limits: ControlLimits): Promise<UpdateAnswer>;
  raiseLimits(agentRunId: string, limits: ControlLimits): Promise<UpdateAnswer>;
  /** Starts the workflow that takes calls back, unless it is under way. */
  startUndo(input: UndoInput): Promise<void>;
  /** Tells a run that waits for a budget or a rate to look again. False: there is no open workflow. */
  limitsChanged(agentRunId: string): Promise<boolean>;
  isReachable(): Promise<boolean>;
}

const keys = {
  agentName: defineSearchAttributeKey(searchAttributes.agentName, 'KEYWORD'),
  status: defineSearchAttributeKey(searchAttributes.status, 'KEYWORD'),
  tenantId: defineSearchAttributeKey(searchAttributes.tenantId, 'KEYWORD'),
};

export function createRunWorkflows(client: Client): RunWorkflows {
  const inTime = <T>(call: () => Promise<T>): Promise<T> =>
    client.connection.withDeadline(Date.now() + SERVER_MS, call);
  const update = async (
    agentRunId: string,
    name: string,
    args: [unknown],
    updateId?: string,
  ): Promise<UpdateAnswer> => {
    const handle = client.workflow.getHandle(workflowIdOf(agentRunId));
    try {
      await client.connection.withDeadline(Date.now() + UPDATE_MS, () =>
        handle.executeUpdate<unknown, [unknown]>(name, { args, ...(updateId === undefined ? {} : { updateId }) }),
      );
      return { ok: true };
    } catch (err) {
      return { ok: false, why: whyNot(err) };
    }
  };
  return {
    async start(input, execution, installation) {
      const { control } = input;
      const workflowId = workflowIdOf(input.agentRunId);
      const options: WorkflowStartOptions = {
        workflowId,
        taskQueue: taskQueues.runs,
        args: [input],
        // A resumed run is a new execution under the same id. An open one is this very run, or the execution before,
        // whose last activity has closed the row; its memo tells.
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        workflowIdConflictPolicy: 'FAIL',
        memo: { execution, installation },
        workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT,
        staticSummary: `${control.agentName} · ${input.agentRunId}`,
        typedSearchAttributes: [
          { key: keys.agentName, value: control.agentName },
          { key: keys.status, value: 'queued' },
          { key: keys.tenantId, value: control.tenantId },
        ],
      };
      await inTime(async () => {
        const until = performance.now() + PREVIOUS_MS;
        for (;;) {
          try {
            return void (await client.workflow.start(WORKFLOW_TYPE, options));
          } catch (err) {
            if (!(err instanceof WorkflowExecutionAlreadyStartedError)) throw err;
            const { memo, status } = await client.workflow.getHandle(workflowId).describe();
            if (memo?.['execution'] === execution) return;
            if (status.name === 'RUNNING' && performance.now() > until) throw err;
          }
          await setTimeout(PREVIOUS_POLL_MS);
        }
      });
    },
    async startUndo(input) {
      const options: WorkflowStartOptions = {
        workflowId: undoWorkflowIdOf(input.agentRunId, input.number),
        taskQueue: taskQueues.runs,
        args: [input],
        // Calls that were taken back are known by their rows: a second execution passes them by.
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        workflowIdConflictPolicy: 'USE_EXISTING',
        workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT,
        staticSummary: `undo of ${input.agentRunId}`,
      };
      await inTime(() => client.workflow.start(UNDO_WORKFLOW_TYPE, options));
    },
    async cancel(agentRunId) {
      try {
        await inTime(() => client.workflow.getHandle(workflowIdOf(agentRunId)).cancel());
        return true;
      } catch (err) {
        if (err instanceof WorkflowNotFoundError) return false;
        throw err;
      }
    },
    decideApproval: (agentRunId, decision, updateId) => update(agentRunId, 'decideApproval', [decision], updateId),
    pause: (agentRunId, by) => update(agentRunId, 'pause', [{ by }]),
    resume: (agentRunId, by, limits) => update(agentRunId, 'resume', [{ by, limits }]),
    raiseLimits: (agentRunId, limits) => update(agentRunId, 'raiseLimits', [limits]),
    async limitsChanged(agentRunId) {
      try {
        await inTime(() => client.workflow.getHandle(workflowIdOf(agentRunId)).signal(limitsChanged));
        return true;
      } catch (err) {
        if (err instanceof WorkflowNotFoundError) return false;
        throw err;
      }
    },
    async isReachable() {
      try {
        await client.connection.withDeadline(Date.now() + 2000, () => client.workflowService.getSystemInfo({}));
        return true;
      } catch {
        return false;
      }
    },
  };
}

function whyNot(err: unknown): UpdateFailure['why'] {
  if (err instanceof WorkflowNotFoundError) return 'NoWorkflow';
  if (err instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return 'NoWorker';
  if (err instanceof WorkflowUpdateFailedError) {
    const type = err.cause instanceof ApplicationFailure ? err.cause.type : undefined;
    const refusal = updateRefusals.find((known) => known === type);
    if (refusal) return refusal;
    // The workflow ended or went on as another execution while it had the update.
    return 'NoWorkflow';
  }
  if (err instanceof Error && /deadline/i.test(err.message)) return 'NoWorker';
  throw err;
}
