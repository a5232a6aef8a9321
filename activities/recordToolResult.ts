// Stores what became of a tool call, once: whoever is first sets the outcome, and the log tells it.
import type { ToolCallInput } from '../contracts/agentRun.js';
import type { ContentBlock } from '../contracts/conversation.js';
import { type Actor, type NewEvent, systemActor } from '../contracts/events.js';
import type { ToolOutcome } from '../contracts/tools.js';
import { putContent } from '../db/contents.js';
import { appendEvents } from '../db/events.js';
import { type PoolClient, atCommit, withTransaction } from '../db/pool.js';
import { type RunRow, lockRun } from '../db/runs.js';
import { type ToolCallRow, countFailedAttempt, findToolCall, settleToolCall } from '../db/toolCalls.js';
import { whenBack } from '../db/whenBack.js';
import { sha256Hex } from '../harness/canonical.js';
import type { Claim } from './claimCall.js';
import type { Deps } from './deps.js';
import { withdrawQuestion } from './withdrawQuestion.js';

export interface ToolCallResult {
  outcome: ToolOutcome;
  content: ContentBlock[];
  isError: boolean;
}

export async function recordToolResult(
  deps: Deps,
  input: ToolCallInput,
  claim: Claim,
  result: ToolCallResult,
): Promise<{ outcome: ToolOutcome }> {
  const storeOnce = () =>
    withTransaction(deps.pool, async (tx): Promise<{ outcome: ToolOutcome; doubts?: number }> => {
      const [run, found] = await Promise.all([
        lockRun(tx, input.agentRunId),
        findToolCall(tx, input.agentRunId, input.toolCallId),
      ]);
      const call = found as ToolCallRow;
      if (call.outcome) return { outcome: call.outcome }; // another attempt was first; its outcome stands
      store(tx, run, call, result, systemActor(deps.workerId), { attempt: claim.attempt });
      return { outcome: result.outcome, ...(call.doubt === null ? {} : { doubts: call.doubts }) };
    });
  const late = (err: unknown) => deps.log.warn({ err, ...input }, 'a tool result waits for the database');
  const { outcome, doubts } = await whenBack(storeOnce, late);
  if (doubts !== undefined) await withdrawQuestion(deps, { ...input, doubts });
  return { outcome };
}

/** Settles a call that does not run (any more) with what the model is shown. Call under the run's lock. */
export async function settle(
  tx: PoolClient,
  run: RunRow,
  call: ToolCallRow,
  result: { outcome: ToolOutcome; isError?: boolean; actor?: Actor } & ({ text: string } | { content: ContentBlock[] }),
): Promise<ToolOutcome> {
  const { outcome, isError = true, actor = systemActor('worker') } = result;
  const content = 'content' in result ? result.content : [{ type: 'text', text: result.text }];
  store(tx, run, call, { outcome, content, isError }, actor, {});
  return outcome;
}

function store(
  tx: PoolClient,
  run: RunRow,
  call: ToolCallRow,
  result: ToolCallResult,
  actor: Actor,
  data: Record<string, unknown>,
): void {
  if (call.outcome) return;
  const { outcome, isError } = result;
  const ran = call.claimedAt !== null && outcome !== 'rejected';
  const content = JSON.stringify(result.content);
  const resultHash = sha256Hex(content);
  const returned: NewEvent = {
    type: 'tool.returned',
    actor,
    step: call.step,
    toolCallId: call.id,
    data: { tool: call.tool, outcome, isError, resultHash, argumentsDigest: call.argumentsDigest, ...data },
  };
  atCommit(
    tx,
    putContent(tx, run.id, content),
    settleToolCall(tx, run.id, call.id, { outcome, resultHash, isError }),
    appendEvents(tx, run, [returned], { toolCalls: ran ? 1 : 0 }),
  );
}

/** An attempt without an answer that another one follows. */
export async function recordFailedAttempt(
  deps: Deps,
  input: ToolCallInput,
  claim: Claim,
  failure: { text: string; delayMs: number },
): Promise<void> {
  await withTransaction(deps.pool, async (tx) => {
    const run = await lockRun(tx, input.agentRunId);
    await countFailedAttempt(tx, run.id, input.toolCallId);
    await appendEvents(tx, run, [
      {
        type: 'tool.failed',
        actor: systemActor(deps.workerId),
        step: input.step,
        toolCallId: input.toolCallId,
        data: {
          tool: claim.tool.name,
          attempt: claim.attempt,
          // Our own words or the network's, never the tool's output: that would be content.
          message: failure.text.slice(0, 300),
          nextTryAt: new Date(Date.now() + failure.delayMs).toISOString(),
        },
      },
    ]);
  });
}
