// A result that comes when its call is settled already: Temporal gave the attempt up, or the tool took longer than it may.
import type { ContentBlock } from '../contracts/conversation.js';
import { systemActor } from '../contracts/events.js';
import type { ToolOutcome } from '../contracts/tools.js';
import { putContent } from '../db/contents.js';
import { appendEvents } from '../db/events.js';
import { queueMessage, resultsWereShown } from '../db/messages.js';
import type { PoolClient } from '../db/pool.js';
import type { RunRow } from '../db/runs.js';
import { type ToolCallRow, addLateResult, correctToolCall } from '../db/toolCalls.js';
import { sha256Hex } from '../harness/canonical.js';
import { newMessageId } from '../harness/ids.js';
import type { Deps } from './deps.js';

type Told = 'as_result' | 'as_message' | 'no_one';

/**
 * What really happened takes the place of `unknown` as long as the model has not been told so; afterwards it is told in
 * its next step. Call under the run's lock, of a call with an outcome.
 */
export async function keepLateResult(
  deps: Pick<Deps, 'workerId'>,
  tx: PoolClient,
  run: RunRow,
  call: ToolCallRow,
  late: {
    outcome: ToolOutcome;
    content: ContentBlock[];
    isError: boolean;
    attempt: number;
    redacted?: readonly string[];
  },
): Promise<ToolOutcome> {
  const known = call.outcome as ToolOutcome;
  const content = JSON.stringify(late.content);
  const resultHash = sha256Hex(content);
  const stored = [call.resultDigest ?? call.resultHash, call.lateResultHash].includes(resultHash);
  // Under one key another attempt has brought the same, except where there is to be no other attempt.
  if (stored || (known !== 'unknown' && call.effect !== 'irreversible')) return known;
  await putContent(tx, run.id, content);
  const result = { outcome: late.outcome, resultHash, isError: late.isError };
  const told = known === 'unknown' ? await tell(tx, run, call, result) : 'no_one';
  await appendEvents(tx, run, [
    {
      type: 'tool.result_late',
      actor: systemActor(deps.workerId),
      step: call.step,
      toolCallId: call.id,
      data: {
        tool: call.tool,
        ...result,
        argumentsDigest: call.argumentsDigest,
        attempt: late.attempt,
        settledAs: known,
        told,
        ...(late.redacted?.length ? { redacted: [...late.redacted] } : {}),
      },
    },
  ]);
  return told === 'as_result' ? late.outcome : known;
}

async function tell(
  tx: PoolClient,
  run: RunRow,
  call: ToolCallRow,
  result: { outcome: ToolOutcome; resultHash: string; isError: boolean },
): Promise<Told> {
  const isOver = run.status === 'completed' || run.status === 'cancelled';
  if (!(await resultsWereShown(tx, run.id, call.step))) {
    await correctToolCall(tx, run.id, call.id, result);
    return isOver ? 'no_one' : 'as_result';
  }
  await addLateResult(tx, run.id, call.id, result);
  if (isOver) return 'no_one';
  const { resultHash: contentHash, isError } = result;
  const message = { id: newMessageId(), agentRunId: run.id, contentHash, result: { toolCallId: call.id, isError } };
  await queueMessage(tx, message);
  return 'as_message';
}
