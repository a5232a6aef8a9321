// What a failed model call means for the run: an event, what was billed, and when another attempt makes sense.
import { ApplicationFailure, Context } from '@temporalio/activity';
import type { StepInput, Waiting } from '../contracts/agentRun.js';
import { isClosed } from '../contracts/agentRun.js';
import { type Usage, totalTokens } from '../contracts/conversation.js';
import { systemActor } from '../contracts/events.js';
import { appendEvents } from '../db/events.js';
import { chargeAttempt, countFailedModelAttempt, findModelCalls } from '../db/modelCalls.js';
import { type PoolClient, withTransaction } from '../db/pool.js';
import { type RunRow, chargeModelCall, lockRun, setRunStatus } from '../db/runs.js';
import type { ModelFailure } from '../providers/modelProvider.js';
import { costNanoUsd } from '../providers/prices.js';
import type { Deps } from './deps.js';

/** Longest time without a good reply before a run stops as `model_unavailable`. Waiting for an operator has no end. */
const OUTAGE_LIMIT_MS = 24 * 3_600_000;
/** Replies in a row that were no valid messages: the model, not the network, is broken. */
const MAX_BROKEN_REPLIES = 3;
/** Pause before the next try when only an operator can help: short enough that setting a key shows at once. */
const OPERATOR_RETRY_MS = 10_000;
const MAX_BACKOFF_MS = 60_000;

/** Records the failure and returns what to throw to Temporal. */
export async function recordModelFailure(
  deps: Deps,
  input: StepInput,
  failure: ModelFailure,
): Promise<ApplicationFailure> {
  const attempt = Context.current().info.attempt;
  return withTransaction(deps.pool, async (tx) => {
    const run = await lockRun(tx, input.agentRunId);
    await countFailedModelAttempt(tx, run.id, input.step);
    await charge(tx, run, input, failure.options.usage);
    const since = run.waiting?.for === 'model' ? run.waiting.since : new Date().toISOString();
    const end = endOf(failure, attempt, Date.now() - Date.parse(since));
    const delayMs = end === undefined ? delayBeforeNextTry(failure, attempt) : undefined;
    const until = delayMs === undefined ? undefined : new Date(Date.now() + delayMs).toISOString();
    // Waiting for a key is said once, not at every try.
    const saidBefore =
      run.waiting?.for === 'model' && run.waiting.reason === failure.message && failure.options.retry === 'wait';
    if (!isClosed(run.status) && !saidBefore) {
      await appendEvents(tx, run, [
        {
          type: 'model.failed',
          actor: systemActor('worker'),
          step: input.step,
          data: {
            type: failure.type,
            message: failure.message,
            attempt,
            ...(until === undefined ? {} : { nextTryAt: until }),
          },
        },
      ]);
    }
    if (until !== undefined && !isClosed(run.status)) {
      const waiting: Waiting = { for: 'model', since, until, reason: failure.message };
      await setRunStatus(tx, run.id, 'waiting', waiting);
    }
    return ApplicationFailure.create({
      type: end ?? failure.type,
      message: failure.message,
      nonRetryable: end !== undefined,
      ...(delayMs === undefined ? {} : { nextRetryDelay: delayMs }),
      category: 'BENIGN',
    });
  });
}

/** The failure type that ends the run's work, or undefined when another attempt is made. */
function endOf(failure: ModelFailure, attempt: number, outageMs: number): string | undefined {
  if (failure.options.retry === 'never') return failure.type;
  if (failure.options.retry === 'wait') return undefined;
  if (failure.type === 'ModelReplyBroken' && attempt >= MAX_BROKEN_REPLIES) return 'ModelUnavailable';
  return outageMs >= OUTAGE_LIMIT_MS ? 'ModelUnavailable' : undefined;
}

/** The provider's own delay if it named one, else doubling; with jitter, so that many runs do not return at once. */
function delayBeforeNextTry(failure: ModelFailure, attempt: number): number {
  if (failure.options.retry === 'wait') return OPERATOR_RETRY_MS;
  const backoff = Math.min(MAX_BACKOFF_MS, 250 * 2 ** Math.min(attempt, 12));
  const base = Math.min(MAX_BACKOFF_MS * 5, failure.options.retryAfterMs ?? backoff);
  return Math.ceil(base * (1 + Math.random() * 0.2));
}

/** An attempt that we stopped ourselves is billed for what it had used. */
export async function recordAbortedAttempt(deps: Deps, input: StepInput, usage: Usage): Promise<void> {
  await withTransaction(deps.pool, async (tx) => {
    const run = await lockRun(tx, input.agentRunId);
    await countFailedModelAttempt(tx, run.id, input.step);
    await charge(tx, run, input, usage);
    if (isClosed(run.status)) return;
    await appendEvents(tx, run, [
      {
        type: 'model.failed',
        actor: systemActor('worker'),
        step: input.step,
        data: { type: 'Aborted', message: 'the call was stopped; its connection is closed' },
      },
    ]);
  });
}

async function charge(tx: PoolClient, run: RunRow, { step }: StepInput, usage: Usage | undefined): Promise<void> {
  if (usage === undefined || totalTokens(usage) === 0) return;
  const call = (await findModelCalls(tx, run.id, step)).find((row) => row.step === step);
  if (!call) return;
  const cost = costNanoUsd(call.model, usage);
  await chargeAttempt(tx, run.id, step, usage, cost);
  await chargeModelCall(tx, run.id, { usage, costNanoUsd: cost });
}
