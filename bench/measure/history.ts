// What a run left in Temporal's history, over all its executions when it was continued as new.
import type { Client } from '@temporalio/client';

export interface HistorySize {
  events: number;
  bytes: number;
  executions: number;
  workflowTasks: number;
  /** Activities that went through the server, and those that ran inside a workflow task. */
  activities: number;
  localActivities: number;
}

export async function historyOf(temporal: Client, workflowId: string): Promise<HistorySize> {
  const size: HistorySize = { events: 0, bytes: 0, executions: 0, workflowTasks: 0, activities: 0, localActivities: 0 };
  const latest = await temporal.workflow.getHandle(workflowId).describe();
  let next: string | undefined = latest.raw.workflowExecutionInfo?.firstRunId ?? latest.runId;
  while (next !== undefined && next !== '') {
    const runId: string = next;
    next = undefined;
    const handle = temporal.workflow.getHandle(workflowId, runId);
    const { historyLength, historySize } = await handle.describe();
    const { events } = await handle.fetchHistory();
    size.executions += 1;
    size.events += historyLength;
    size.bytes += historySize ?? 0;
    for (const event of events ?? []) {
      if (event.workflowTaskCompletedEventAttributes) size.workflowTasks += 1;
      if (event.activityTaskScheduledEventAttributes) size.activities += 1;
      if (event.markerRecordedEventAttributes?.markerName === 'core_local_activity') size.localActivities += 1;
      next = event.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId ?? next;
    }
  }
  return size;
}
