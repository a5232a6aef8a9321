// Takes the calls of a run back, one after the other, the latest first. What a person approved stands in the database.
import { CancellationScope } from '@temporalio/workflow';
import type { UndoInput } from '../contracts/undo.js';
import { compensateCall, finishUndo } from './activityProxies.js';

export async function undoRun({ agentRunId, number, calls }: UndoInput): Promise<void> {
  try {
    // One by one: what came later may stand on what came before.
    for (const call of calls) await compensateCall({ agentRunId, number, toolCallId: call.toolCallId }, call);
  } finally {
    await CancellationScope.nonCancellable(() => finishUndo({ agentRunId, number }));
  }
}
