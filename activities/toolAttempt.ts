// One attempt of a tool call: claim it, run it, store what came back. A second one does what the tool's effect allows.
import { ApplicationFailure } from '@temporalio/activity';
import path from 'node:path';
import type { ToolCallEnd, ToolCallInput } from '../contracts/agentRun.js';
import type { ContentBlock } from '../contracts/conversation.js';
import { idempotencyKeyOf } from '../harness/ids.js';
import { type Reconciled, type Settled, type ToolContext, type ToolExecutor, runTool } from '../tools/execution.js';
import { keptBlocks, resultOf } from '../tools/result.js';
import { type Claim, type Claimed, claimCall } from './claimCall.js';
import type { Deps } from './deps.js';
import { askOrWait, heldUntil } from './holds.js';
import { withoutConsent } from './mcpConsent.js';
import { recordFailedAttempt, recordToolResult } from './recordToolResult.js';
import { redactSettled } from './redactions.js';
import { quarantined } from './suspects.js';
import { type Stoppable, stopped, waitWhileElsewhere } from './underWay.js';
import { recordUnknown } from './unknownOutcome.js';

/** Pause before a tool that did not answer is tried again, in milliseconds: doubling from the first to the last. */
const RETRY_FIRST_MS = 500;
const RETRY_LAST_MS = 60_000;

/**
 * Throws ToolUnavailable where another attempt may follow; Temporal retries after the delay it names. `ahead` is the
 * claim of a call that was claimed before.
 */
export async function attemptToolCall(
  deps: Deps,
  input: ToolCallInput,
  asked: Stoppable,
  ahead?: Claim,
): Promise<ToolCallEnd> {
  return deps.underWay.alone(idempotencyKeyOf(input.agentRunId, input.toolCallId), asked, async (driver) => {
    if (ahead) return finish(deps, input, ahead, driver);
    // It may have waited for the run for long: what was stopped meanwhile has not begun, and is no result.
    const mayStart = (): void => {
      if (driver.signal.aborted) throw stopped(driver);
    };
    const claim = await askOrWait(deps, input, driver.signal, (queued) =>
      waitWhileElsewhere(driver, () => claimCall(deps, input, { mayStart, queued })),
    );
    if (claim.kind !== 'suspect') return finish(deps, input, claim, driver);
    return deps.suspects.alone(async () => {
      return finish(deps, input, await claimCall(deps, input, { alone: true, queued: true, mayStart }), driver);
    });
  });
}

async function finish(deps: Deps, input: ToolCallInput, claim: Claimed, driver: Stoppable): Promise<ToolCallEnd> {
  switch (claim.kind) {
    case 'claimed':
      return store(deps, input, claim, await run(deps, input, claim, driver), driver);
    case 'ended':
      return claim.end;
    case 'hold':
      return { outcome: 'waits', untilMs: heldUntil(claim) };
    case 'quarantined':
      throw quarantined(`The tool call ${input.toolCallId} of step ${input.step}`);
    case 'suspect':
    case 'elsewhere':
      throw new Error(`tool call ${input.toolCallId} is ${claim.kind} though it is alone`);
  }
}

async function run(deps: Deps, input: ToolCallInput, claim: Claim, driver: Stoppable): Promise<Settled> {
  const executor = deps.tools.executorFor(claim.tool);
  if (!executor) {
    const text = `The worker does not have the tool ${claim.tool.name} (any more). Nothing was executed.`;
    return { kind: 'result', content: textBlocks(text), isError: true };
  }
  if (driver.signal.aborted && claim.tool.effect !== 'irreversible') {
    return { kind: 'unavailable', text: `${claim.tool.name} was stopped before it started.` };
  }
  const context = contextOf(deps, input, claim, driver);
  if (claim.recheck && executor.reconcile) {
    const found = await reconcile(executor, context, claim);
    if (found && (found.kind === 'result' || !claim.vouched)) return found;
  }
  const refused = await withoutConsent(deps, input, claim.tool, context);
  if (refused !== undefined) return { kind: 'result', content: textBlocks(refused), isError: true };
  return runTool(executor, claim.arguments, context, {
    timeoutMs: claim.tool.timeoutMs,
    onLate: (result) => {
      store(deps, input, claim, result, driver).catch((err: unknown) =>
        deps.log.warn({ err, ...input }, 'a late result was not stored'),
      );
    },
  });
}

/** An earlier attempt died inside the tool: the destination knows what became of the key. undefined: nothing yet. */
async function reconcile(executor: ToolExecutor, context: ToolContext, claim: Claim): Promise<Settled | undefined> {
  let answer: Reconciled = 'unknown';
  const asking: ToolExecutor = {
    definition: claim.tool,
    async execute(_args, ctx) {
      answer = (await executor.reconcile?.(ctx.idempotencyKey, ctx)) ?? 'unknown';
      return { content: '' };
    },
  };
  const asked = await runTool(asking, undefined, context, { timeoutMs: claim.tool.timeoutMs });
  if (asked.kind !== 'result' || asked.isError) {
    return { kind: 'unavailable', text: `What became of ${claim.tool.name} could not be found out.` };
  }
  return settledAnswer(answer);
}

function settledAnswer(answer: Reconciled): Settled | undefined {
  if (answer === 'unknown') return { kind: 'unknown', text: LOST };
  return answer.happened ? { kind: 'result', ...keptBlocks(resultOf(answer.result)) } : undefined;
}

const LOST = 'The call was started and its result was lost, so it may or may not have happened.';

async function store(
  deps: Deps,
  input: ToolCallInput,
  claim: Claim,
  given: Settled,
  driver: Stoppable,
): Promise<ToolCallEnd> {
  const { settled, redacted } = redactSettled(deps.redactor, given);
  switch (settled.kind) {
    case 'result':
      return recordToolResult(deps, input, claim, {
        outcome: settled.isError ? 'failed' : 'succeeded',
        content: claim.edited ? [...settled.content, editNote(claim)] : settled.content,
        isError: settled.isError,
        redacted,
      });
    case 'unknown':
      return unknown(settled.text);
    case 'unavailable': {
      const mayRepeat = claim.tool.effect === 'read' || claim.tool.effect === 'idempotent';
      if (!mayRepeat && claim.tool.effect !== 'reconcilable') return unknown(`${settled.text} ${LOST}`);
      if (driver.cancelRequested() || claim.attempt >= claim.tool.maxAttempts) {
        return claim.tool.effect === 'read'
          ? recordToolResult(deps, input, claim, {
              outcome: 'failed',
              content: textBlocks(`${settled.text} (after ${claim.attempt} attempts)`),
              isError: true,
            })
          : unknown(`${settled.text} (after ${claim.attempt} attempts) ${LOST}`);
      }
      const backoff = Math.min(RETRY_LAST_MS, RETRY_FIRST_MS * 2 ** (claim.attempt - 1));
      const delayMs = settled.retryAfterMs ?? backoff;
      await recordFailedAttempt(deps, input, claim, { text: settled.text, delayMs });
      throw ApplicationFailure.create({
        type: 'ToolUnavailable',
        message: `${claim.tool.name}: attempt ${claim.attempt} brought no answer`,
        nextRetryDelay: delayMs,
        category: 'BENIGN',
      });
    }
  }

  function unknown(why: string): Promise<ToolCallEnd> {
    return recordUnknown(deps, input, { attempt: claim.attempt, why, mayAsk: !driver.cancelRequested() });
  }
}

/** The conversation shows the model's own arguments; it must not take the result for theirs. */
const editNote = ({ arguments: args }: Claim): ContentBlock => ({
  type: 'text',
  text: `(A person changed the arguments before this ran, to ${JSON.stringify(args)}.)`,
});

/** What a tool is given, for a call or for taking one back. */
export function contextOf(
  deps: Deps,
  { agentRunId, step, toolCallId }: ToolCallInput,
  claim: { idempotencyKey: string; agentName: string; tool: { name: string } },
  driver: { signal: AbortSignal },
): ToolContext {
  return {
    idempotencyKey: claim.idempotencyKey,
    runId: agentRunId,
    step,
    toolCallId,
    agent: claim.agentName,
    signal: driver.signal,
    heartbeat: () => undefined, // an attempt beats by itself all the time
    secrets: secretOf(deps),
    log: deps.log.child({ agentRunId, step, toolCallId, tool: claim.tool.name }),
    workspaceDir: path.join(deps.workspacesDir, agentRunId),
  };
}

/** Throws where there is none. */
export const secretOf =
  (deps: Pick<Deps, 'secret'>) =>
  (name: string): string => {
    const value = deps.secret(name);
    if (value === undefined) throw new Error(`the worker has no secret ${name}; set that environment variable`);
    return value;
  };

export const textBlocks = (text: string): ContentBlock[] => [{ type: 'text', text }];
