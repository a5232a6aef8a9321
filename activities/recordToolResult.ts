// Stores what became of a tool call, once: whoever is first sets the outcome, and the log tells it.
import type { ToolCallInput } from '../contracts/agentRun.js';
import type { ContentBlock } from '../contracts/conversation.js';
import { type Actor, type NewEvent, systemActor } from '../contracts/events.js';
import type { ToolOutcome } from '../contracts/tools.js';
import { putContent } from '../db/contents.js';
import { appendEvents, hasMovedOn } from '../db/events.js';
import { type PoolClient, atCommit, withTransaction } from '../db/pool.js';
import { type RunRow, holdRun, lockRun } from '../db/runs.js';
import {
  type SameCalls,
  type ToolCallRow,
  countFailedAttempt,
  findToolCall,
  sameCallsBefore,
  settleToolCall,
  timesBefore,
} from '../db/toolCalls.js';
import { whenBack } from '../db/whenBack.js';
import { sha256Hex } from '../harness/canonical.js';
import { LOOP_STEPS, repeatOf } from '../harness/limits/loopGuard.js';
import type { AsClaimed, Claim } from './claimCall.js';
import type { Deps } from './deps.js';
import { keepLateResult } from './lateResult.js';
import { withdrawQuestion } from './withdrawQuestion.js';

export interface ToolCallResult {
  outcome: ToolOutcome;
  content: ContentBlock[];
  isError: boolean;
  /** Of the content, where more is shown to the model than the tool returned. */
  resultDigest?: string;
  /** Names of secrets that were in what the tool returned. */
  redacted?: readonly string[];
}

export async function recordToolResult(
  deps: Deps,
  input: ToolCallInput,
  claim: Claim,
  result: ToolCallResult,
): Promise<{ outcome: ToolOutcome; loop?: boolean }> {
  const done = claim.asClaimed && (await storeUnread(deps, input, claim, claim.asClaimed, result));
  if (done) return done;
  const storeOnce = () =>
    withTransaction(deps.pool, async (tx): Promise<{ outcome: ToolOutcome; loop?: boolean; doubts?: number }> => {
      const [run, found, same] = await Promise.all([
        lockRun(tx, input.agentRunId),
        findToolCall(tx, input.agentRunId, input.toolCallId),
        sameCallsBefore(tx, input.agentRunId, {
          step: input.step,
          steps: LOOP_STEPS,
          likeCallId: input.toolCallId,
        }),
      ]);
      const call = found as ToolCallRow;
      if (call.outcome) {
        return { outcome: await keepLateResult(deps, tx, run, call, { ...result, attempt: claim.attempt }) };
      }
      const { definition } = await deps.agents.of(tx, run);
      const { watched, loop } = watch(call, result, definition.limits.loopGuard === false ? [] : same);
      const { redacted = [] } = result;
      store(tx, run, call, watched, systemActor(deps.workerId), {
        attempt: claim.attempt,
        ...(redacted.length === 0 ? {} : { redacted: [...redacted] }),
      });
      return {
        outcome: result.outcome,
        ...(loop ? { loop } : {}),
        ...(call.doubt === null ? {} : { doubts: call.doubts }),
      };
    });
  const late = (err: unknown) => deps.log.warn({ err, ...input }, 'a tool result waits for the database');
  const { doubts, ...end } = await whenBack(storeOnce, late);
  if (doubts !== undefined) await withdrawQuestion(deps, { ...input, doubts });
  return end;
}

/**
 * In one round trip: what would be read is known as long as no event has followed the claim. undefined when one has, or
 * when it failed otherwise.
 */
async function storeUnread(
  deps: Deps,
  input: ToolCallInput,
  claim: Claim,
  { run, same }: AsClaimed,
  result: ToolCallResult,
): Promise<{ outcome: ToolOutcome; loop?: boolean } | undefined> {
  const { argumentsDigest, tool } = claim;
  const call = { id: input.toolCallId, step: input.step, tool: tool.name, argumentsDigest };
  const { watched, loop } = watch(call, result, same);
  const { redacted = [] } = result;
  try {
    await withTransaction(deps.pool, async (tx) => {
      atCommit(tx, holdRun(tx, run.id));
      store(tx, run, { ...call, outcome: null, claimedAt: run.readAt }, watched, systemActor(deps.workerId), {
        attempt: claim.attempt,
        ...(redacted.length === 0 ? {} : { redacted: [...redacted] }),
      });
    });
    return { outcome: result.outcome, ...(loop ? { loop } : {}) };
  } catch (err) {
    if (!hasMovedOn(err)) deps.log.warn({ err, ...input }, 'a tool result is stored in a second try');
    return undefined;
  }
}

/** The result with a word about it, when the same call brought the same one before. */
function watch(
  call: Pick<ToolCallRow, 'tool' | 'argumentsDigest'>,
  result: ToolCallResult,
  same: readonly SameCalls[],
): { watched: ToolCallResult; loop: boolean } {
  const resultDigest = sha256Hex(JSON.stringify(result.content));
  const { nudge, stop } = repeatOf(timesBefore(same, call.tool, call.argumentsDigest, resultDigest));
  if (nudge === undefined) return { watched: result, loop: false };
  const content = [...result.content, { type: 'text', text: nudge }];
  return { watched: { ...result, content, resultDigest }, loop: stop };
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
  call: Pick<ToolCallRow, 'id' | 'step' | 'tool' | 'argumentsDigest' | 'outcome' | 'claimedAt'>,
  result: ToolCallResult,
  actor: Actor,
  data: Record<string, unknown>,
): void {
  if (call.outcome) return;
  const { outcome, isError, resultDigest = null } = result;
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
    settleToolCall(tx, run.id, call.id, { outcome, resultHash, isError, resultDigest }),
    appendEvents(tx, run, [returned], { toolCalls: ran ? 1 : 0 }),
  );
}

/** An attempt without an answer that another one follows. A result may come of an earlier one meanwhile. */
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
