// Tells a run that a late result has answered the question what became of a call.
import { Context } from '@temporalio/activity';
import { workflowIdOf } from '../contracts/ids.js';
import { outcomeQuestionIdOf } from '../harness/ids.js';
import { resultArrived } from '../workflows/protocol.js';
import type { Deps } from './deps.js';

/** At best: without it the question stays open until somebody answers or it expires, and the late result stands. */
export async function withdrawQuestion(
  deps: Deps,
  call: { agentRunId: string; toolCallId: string; doubts: number },
): Promise<void> {
  const approvalId = outcomeQuestionIdOf(call.agentRunId, call.toolCallId, call.doubts);
  try {
    const handle = Context.current().client.workflow.getHandle(workflowIdOf(call.agentRunId));
    await handle.signal(resultArrived, { approvalId });
  } catch (err) {
    deps.log.warn({ err, agentRunId: call.agentRunId, approvalId }, 'a question that is moot could not be withdrawn');
  }
}
