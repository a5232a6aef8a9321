// What sweeps ask Temporal: which workflows there are, how one ended, and to end one that belongs to nobody.
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { agentRunIdOf, workflowIdOf } from '../contracts/ids.js';
import { WORKFLOW_TYPE, searchAttributes } from '../workflows/protocol.js';

export interface OpenWorkflow {
  agentRunId: string;
  workflowId: string;
  temporalRunId: string;
  startedAt: Date;
  /** Of the database in which its run was made; null: it does not say. */
  installation: string | null;
  tenantId: string | null;
}

export interface LatestExecution {
  isOpen: boolean;
  /** Temporal's word for it, such as TERMINATED. */
  status: string;
  temporalRunId: string;
  /** Which one of the run's executions it is. */
  execution: number | undefined;
  cancelRequested: boolean;
}

export interface TemporalView {
  /** As Temporal's list has them, which lags behind: ask `latest` before acting. */
  openWorkflows(): AsyncIterable<OpenWorkflow>;
  /** Runs whose workflow ended otherwise than by itself, by the list. */
  endedOutside(since: Date): AsyncIterable<string>;
  /** undefined: Temporal knows no workflow of this run (any more). */
  latest(agentRunId: string): Promise<LatestExecution | undefined>;
  /** In a few words, with who did it and why where Temporal knows. */
  howItEnded(agentRunId: string, temporalRunId: string): Promise<string>;
  terminate(workflow: OpenWorkflow, reason: string): Promise<void>;
}

const ANSWER_MS = 10_000;
/** Ends that a workflow of ours never has by itself. */
const OUTSIDE = ['Terminated', 'TimedOut', 'Failed', 'Canceled'];

export function createTemporalView(client: Client): TemporalView {
  const { namespace } = client.options;
  const inTime = <T>(call: () => Promise<T>): Promise<T> =>
    client.connection.withDeadline(Date.now() + ANSWER_MS, call);

  return {
    async *openWorkflows() {
      for await (const w of client.workflow.list({ query: `${OURS} AND ExecutionStatus = 'Running'` })) {
        yield {
          agentRunId: agentRunIdOf(w.workflowId),
          workflowId: w.workflowId,
          temporalRunId: w.runId,
          startedAt: w.startTime,
          installation: textOf(w.memo?.['installation']),
          tenantId: textOf((w.searchAttributes[searchAttributes.tenantId] as unknown[] | undefined)?.[0]),
        };
      }
    },
    async *endedOutside(since) {
      const ended = OUTSIDE.map((status) => `ExecutionStatus = '${status}'`).join(' OR ');
      const query = `${OURS} AND (${ended}) AND CloseTime > '${since.toISOString()}'`;
      for await (const { workflowId } of client.workflow.list({ query })) yield agentRunIdOf(workflowId);
    },
    async latest(agentRunId) {
      try {
        const { raw, runId, status, memo } = await inTime(() =>
          client.workflow.getHandle(workflowIdOf(agentRunId)).describe(),
        );
        const execution = memo?.['execution'];
        return {
          isOpen: status.name === 'RUNNING' || status.name === 'PAUSED',
          status: status.name,
          temporalRunId: runId,
          execution: typeof execution === 'number' ? execution : undefined,
          cancelRequested: raw.workflowExtendedInfo?.cancelRequested === true,
        };
      } catch (err) {
        if (err instanceof WorkflowNotFoundError) return undefined;
        throw err;
      }
    },
    async howItEnded(agentRunId, temporalRunId) {
      const { history } = await inTime(() =>
        client.workflowService.getWorkflowExecutionHistoryReverse({
          namespace,
          execution: { workflowId: workflowIdOf(agentRunId), runId: temporalRunId },
          maximumPageSize: 1,
        }),
      );
      const last = history?.events?.[0];
      const terminated = last?.workflowExecutionTerminatedEventAttributes;
      if (terminated) {
        const by = terminated.identity ? ` by ${terminated.identity}` : '';
        return `the workflow was terminated${by}${terminated.reason ? `: ${terminated.reason}` : ''}`;
      }
      if (last?.workflowExecutionTimedOutEventAttributes) return 'the workflow timed out';
      const failure = last?.workflowExecutionFailedEventAttributes?.failure?.message;
      return failure ? `the workflow failed: ${failure}` : 'the workflow ended without closing the run';
    },
    async terminate({ workflowId, temporalRunId }, reason) {
      await inTime(() => client.workflow.getHandle(workflowId, temporalRunId).terminate(reason)).catch(
        (err: unknown) => {
          if (!(err instanceof WorkflowNotFoundError)) throw err; // it ended by itself
        },
      );
    },
  };
}

const OURS = `WorkflowType = '${WORKFLOW_TYPE}'`;
const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);
