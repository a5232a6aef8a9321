// The open runs of a Temporal namespace, with the history that each has so far.
import { type Client, type WorkflowHandle, WorkflowNotFoundError } from '@temporalio/client';
import { WORKFLOW_TYPE, searchAttributes } from '../workflows/protocol.js';

export type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;
export type HistoryEvent = NonNullable<History['events']>[number];

export interface OpenRun {
  workflowId: string;
  /** Temporal's own id, which changes at continue-as-new. */
  temporalRunId: string;
  agent: string | null;
}

/** Newest first; at most `limit`. */
export async function* openRuns(client: Client, limit: number): AsyncGenerator<OpenRun> {
  const query = `WorkflowType = '${WORKFLOW_TYPE}' AND ExecutionStatus = 'Running'`;
  let left = limit;
  for await (const { workflowId, runId, searchAttributes: shown } of client.workflow.list({ query })) {
    if (left-- === 0) return;
    yield { workflowId, temporalRunId: runId, agent: agentIn(shown) };
  }
}

function agentIn(shown: Record<string, unknown>): string | null {
  const [name] = (shown[searchAttributes.agentName] ?? []) as unknown[];
  return typeof name === 'string' ? name : null;
}

/** undefined: Temporal does not have it any more. */
export async function historyOf(client: Client, run: OpenRun): Promise<History | undefined> {
  try {
    return await client.workflow.getHandle(run.workflowId, run.temporalRunId).fetchHistory();
  } catch (err) {
    if (err instanceof WorkflowNotFoundError) return undefined;
    throw err;
  }
}

export async function countOpenRuns(client: Client): Promise<number> {
  const { count } = await client.workflow.count(`WorkflowType = '${WORKFLOW_TYPE}' AND ExecutionStatus = 'Running'`);
  return count;
}
