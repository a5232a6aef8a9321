// A call of which nobody knows whether it happened: the model is told so, or a person is asked first.
import type { PendingApproval, ToolCallEnd, ToolCallInput } from '../contracts/agentRun.js';
import { systemActor } from '../contracts/events.js';
import { appendEvents } from '../db/events.js';
import { type PoolClient, withTransaction } from '../db/pool.js';
import { type RunRow, lockRun } from '../db/runs.js';
import { type ToolCallRow, countFailedAttempt, doubtToolCall, findToolCall } from '../db/toolCalls.js';
import { termsOf } from '../harness/approvalTerms.js';
import { outcomeQuestionIdOf } from '../harness/ids.js';
import { oneLine } from '../harness/policy/summary.js';
import type { Deps } from './deps.js';
import { settle } from './recordToolResult.js';

const NOT_AGAIN = 'It was not run again. Check before you repeat it.';
/** Longest reason that is kept with a question, in characters. */
const MAX_REASON = 500;

/**
 * `why` says what happened to whoever ran the call. Call under the run's lock. With `mayAsk: false` the model is told,
 * whatever the agent says: a run that is being cancelled asks nobody.
 */
export async function leaveUnknown(
  deps: Deps,
  tx: PoolClient,
  run: RunRow,
  call: ToolCallRow,
  { why, mayAsk = true }: { why: string; mayAsk?: boolean },
): Promise<ToolCallEnd> {
  const { definition } = await deps.agents.of(tx, run);
  const tool = run.tools.find((t) => t.name === call.tool);
  const reason = oneLine(why).slice(0, MAX_REASON).toWellFormed();
  if (!mayAsk || (tool?.unknown ?? definition.unknown ?? 'tell') === 'tell') {
    return { outcome: await settle(tx, run, call, { outcome: 'unknown', text: `${reason} ${NOT_AGAIN}` }) };
  }
  const doubted = await doubtToolCall(tx, run.id, call.id, reason);
  await appendEvents(tx, run, [
    {
      type: 'tool.unknown',
      actor: systemActor(deps.workerId),
      step: call.step,
      toolCallId: call.id,
      data: { tool: call.tool, attempt: call.attempts, argumentsDigest: call.argumentsDigest, message: reason },
    },
  ]);
  return { outcome: 'asks', approval: await outcomeQuestion(deps, tx, run, doubted) };
}

/** An attempt ended without knowing. Another one may have been first, or be under way; then its outcome stands. */
export async function recordUnknown(
  deps: Deps,
  input: ToolCallInput,
  unknown: { attempt: number; why: string; mayAsk: boolean },
): Promise<ToolCallEnd> {
  return withTransaction(deps.pool, async (tx) => {
    const run = await lockRun(tx, input.agentRunId);
    const call = (await findToolCall(tx, input.agentRunId, input.toolCallId)) as ToolCallRow;
    if (call.outcome) return { outcome: call.outcome };
    if (call.attempts !== unknown.attempt) return { outcome: 'unknown' }; // of an attempt that Temporal gave up
    if (call.doubt !== null) return { outcome: 'asks', approval: await outcomeQuestion(deps, tx, run, call) };
    await countFailedAttempt(tx, run.id, call.id); // it ended: it did not vanish with its worker
    return leaveUnknown(deps, tx, run, call, unknown);
  });
}

/** The same in every attempt: made of what stands in the call's row. */
export async function outcomeQuestion(
  deps: Deps,
  tx: PoolClient,
  run: RunRow,
  call: ToolCallRow,
): Promise<PendingApproval> {
  const { definition } = await deps.agents.of(tx, run);
  return {
    approvalId: outcomeQuestionIdOf(run.id, call.id, call.doubts),
    argumentsDigest: call.argumentsDigest,
    ...termsOf(definition, 'outcome', (call.doubtedAt ?? new Date()).getTime()),
  };
}
