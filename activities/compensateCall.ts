// Takes one call of a run back, under a key of its own: the same in every attempt, so a service does it once.
import { ApplicationFailure } from '@temporalio/activity';
import { systemActor } from '../contracts/events.js';
import type { ContentBlock } from '../contracts/conversation.js';
import type { CompensateInput, UndoOutcome } from '../contracts/undo.js';
import { getArguments, getJsonContent, putContent } from '../db/contents.js';
import { appendEvents } from '../db/events.js';
import { withTransaction } from '../db/pool.js';
import { lockRun } from '../db/runs.js';
import { findToolCall } from '../db/toolCalls.js';
import {
  beginCompensation,
  endCompensation,
  lastCompensationAttempt,
  lastUndo,
  pauseCompensation,
} from '../db/undos.js';
import { undoKeyOf } from '../harness/ids.js';
import { type CompletedCall, type Settled, type ToolExecutor, runTool } from '../tools/execution.js';
import type { Deps } from './deps.js';
import { startHeartbeat } from './heartbeat.js';
import { redactSettled } from './redactions.js';
import { stopSignalAfterRun } from './stopSignal.js';
import { contextOf, textBlocks } from './toolAttempt.js';
import { type Stoppable, goesOnElsewhere, waitWhileElsewhere } from './underWay.js';

/** Then it is said to have failed. The pauses between them grow to a minute: some ten minutes in all. */
const MAX_ATTEMPTS = 15;
const RETRY_FIRST_MS = 500;
const RETRY_LAST_MS = 60_000;
const MAX_WHY = 500;

/** Throws ToolUnavailable where another attempt may follow. */
export async function compensateCall(deps: Deps, input: CompensateInput): Promise<void> {
  const stopHeartbeat = startHeartbeat();
  const asked = stopSignalAfterRun();
  try {
    await deps.underWay.alone(keyOf(input), asked, async (driver) => {
      const begun = await waitWhileElsewhere(driver, () => begin(deps, input));
      if (begun.kind === 'begun') await end(deps, input, begun, await act(deps, input, begun, driver));
    });
  } finally {
    asked.release();
    stopHeartbeat();
  }
}

const keyOf = ({ agentRunId, toolCallId }: CompensateInput): string => undoKeyOf(agentRunId, toolCallId);

type Begun = Extract<Awaited<ReturnType<typeof begin>>, { kind: 'begun' }>;

async function begin(deps: Deps, input: CompensateInput) {
  return withTransaction(deps.pool, async (tx) => {
    const run = await lockRun(tx, input.agentRunId);
    const [call, undo] = [await findToolCall(tx, run.id, input.toolCallId), await lastUndo(tx, run.id)];
    const tool = run.tools.find((t) => t.name === call?.tool);
    if (!call || !tool || undo?.number !== input.number) throw new Error(`no call ${input.toolCallId} to take back`);
    await deps.agents.of(tx, run); // its secrets are known to this worker from here on
    const last = await lastCompensationAttempt(tx, input);
    if (last && (await goesOnElsewhere(tx, deps, { key: keyOf(input), ...last })))
      return { kind: 'elsewhere' as const };
    const attempt = await beginCompensation(tx, input, deps.workerId);
    if (attempt === undefined) return { kind: 'ended' as const };
    const resultHash = call.lateResultHash ?? call.resultHash;
    const content = resultHash === null ? [] : await getJsonContent(tx, run.id, resultHash);
    const done: CompletedCall = {
      arguments: await getArguments(tx, run.id, call.id),
      result: resultIn(content as ContentBlock[]),
    };
    const idempotencyKey = keyOf(input);
    const data = {
      tool: tool.name,
      undo: input.number,
      attempt,
      idempotencyKey,
      argumentsDigest: call.argumentsDigest,
      approvedBy: undo.approvedBy,
    };
    const place = { actor: systemActor(deps.workerId), step: call.step, toolCallId: call.id };
    await appendEvents(tx, run, [{ type: 'tool.compensating', ...place, data }]);
    return { kind: 'begun' as const, run, call, tool, done, attempt, idempotencyKey };
  });
}

/** As the tool returned it, as far as text can say: JSON where it is some. */
function resultIn(content: readonly ContentBlock[]): unknown {
  const text = content.map((block) => (block.type === 'text' ? String(block['text']) : '')).join('\n');
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

async function act(deps: Deps, input: CompensateInput, begun: Begun, { signal }: Stoppable): Promise<Settled> {
  const { tool, done, idempotencyKey, run } = begun;
  const executor = deps.tools.executorFor(tool);
  const compensate = executor?.compensate;
  if (!compensate) {
    const text = `The worker has no way to take ${tool.name} back (any more).`;
    return { kind: 'result', content: textBlocks(text), isError: true };
  }
  const asking: ToolExecutor = {
    definition: tool,
    execute: async (_args, ctx) => {
      const content = await compensate(done, ctx);
      return content ?? { content: '' };
    },
  };
  const place = { agentRunId: run.id, step: begun.call.step, toolCallId: input.toolCallId };
  const who = { idempotencyKey, agentName: run.agentName, tool };
  const context = contextOf(deps, place, who, { signal });
  return runTool(asking, undefined, context, { timeoutMs: tool.timeoutMs });
}

async function end(deps: Deps, input: CompensateInput, { attempt, tool }: Begun, given: Settled): Promise<void> {
  const { settled } = redactSettled(deps.redactor, given);
  if (settled.kind === 'unavailable' && attempt < MAX_ATTEMPTS) {
    await withTransaction(deps.pool, (tx) => pauseCompensation(tx, input));
    const backoff = Math.min(RETRY_LAST_MS, RETRY_FIRST_MS * 2 ** (attempt - 1));
    throw ApplicationFailure.create({
      type: 'ToolUnavailable',
      message: `taking ${tool.name} back: attempt ${attempt} brought no answer`,
      nextRetryDelay: settled.retryAfterMs ?? backoff,
      category: 'BENIGN',
    });
  }
  const content = settled.kind === 'result' ? settled.content : textBlocks(settled.text);
  const outcome: UndoOutcome = settled.kind === 'result' && !settled.isError ? 'undone' : 'failed';
  const said = content.map((block) => (block.type === 'text' ? String(block['text']) : block.type)).join(' ');
  const why = outcome === 'undone' ? null : said.slice(0, MAX_WHY).toWellFormed().replaceAll('\0', ' ');
  await withTransaction(deps.pool, async (tx) => {
    const run = await lockRun(tx, input.agentRunId);
    const resultHash = await putContent(tx, run.id, JSON.stringify(content));
    if (!(await endCompensation(tx, input, { outcome, resultHash, why }))) return;
    const place = { actor: systemActor(deps.workerId), toolCallId: input.toolCallId };
    const data = { tool: tool.name, undo: input.number, attempt, outcome, resultHash };
    await appendEvents(tx, run, [{ type: 'tool.compensated', ...place, data }]);
  });
}
