// Calls that may not be made yet, because a budget or a rate is used up: short waits are waited here, long ones by the run.
import { setTimeout } from 'node:timers/promises';
import type { StepInput, Waiting } from '../contracts/agentRun.js';
import { isClosed } from '../contracts/agentRun.js';
import { type NewEvent, systemActor } from '../contracts/events.js';
import { appendEvents } from '../db/events.js';
import { withTransaction } from '../db/pool.js';
import { lockRun, setRunStatus } from '../db/runs.js';
import type { Deps } from './deps.js';

export interface Hold {
  kind: 'hold';
  /** When to ask again. */
  waitMs: number;
  /** The same once the run waits, where that is longer. */
  restMs?: number;
  limit: 'budget' | 'rate';
  /** `<scope>/<subject>`, of a budget with `/<period>`. */
  account: string;
  /** In plain words, with the remedy. */
  reason: string;
  /** When it ends by itself, if it does. */
  until?: Date;
}

/** An activity waits no longer than this in all; beyond, the run does and no worker is held. In milliseconds. */
const INLINE_MS = 3000;

/** Asks again after short waits. `queued`: it has waited before. A hold comes back when it takes longer. */
async function askAgain<T extends { kind: string }>(
  signal: AbortSignal,
  queued: boolean,
  attempt: (queued: boolean) => Promise<T | Hold>,
): Promise<T | Hold> {
  const giveUpAt = Date.now() + INLINE_MS;
  let answer = await attempt(queued);
  while (isHold(answer) && Date.now() + answer.waitMs <= giveUpAt && !signal.aborted) {
    await setTimeout(answer.waitMs, undefined, { signal }).catch(() => undefined); // stopped: the next step sees it
    answer = await attempt(true);
  }
  return answer;
}

/** A wait that ends by itself within this is not asked about twice, in milliseconds. */
const SHORT_MS = 60_000;

/**
 * Asks until it may be made, or the run has to wait and says so. A limit may have been raised after it was asked and before
 * the run was seen to wait: then nobody tells the run, so it is asked once more.
 */
export async function askOrWait<T extends { kind: string }>(
  deps: Deps,
  input: StepInput & { toolCallId?: string },
  signal: AbortSignal,
  attempt: (queued: boolean) => Promise<T | Hold>,
): Promise<T | Hold> {
  const answer = await askAgain(signal, input.queued === true, attempt);
  if (!isHold(answer)) return answer;
  const isNew = await recordHold(deps, input, answer);
  const mayBeMissed = answer.limit === 'budget' || answer.waitMs > SHORT_MS;
  return isNew && mayBeMissed && !signal.aborted ? attempt(true) : answer;
}

/** When the run asks again, in milliseconds since 1970. */
export const heldUntil = ({ waitMs, restMs = 0 }: Hold): number => Date.now() + Math.max(waitMs, restMs);

const isHold = (answer: { kind: string }): answer is Hold => answer.kind === 'hold';

/** The run says what it waits for; once, however often it is asked. False: it had said so before, or waits for more. */
async function recordHold(deps: Deps, input: StepInput & { toolCallId?: string }, hold: Hold): Promise<boolean> {
  return withTransaction(deps.pool, async (tx) => {
    const run = await lockRun(tx, input.agentRunId);
    if (isClosed(run.status)) return false;
    const { account, limit, reason, until } = hold;
    const { waiting: before } = run;
    const saidBefore = before?.for === 'budget' && before.budget === account && before.reason === reason;
    // Whoever waits for a person waits for longer.
    if (saidBefore || (run.status === 'waiting' && run.waiting?.for !== 'budget')) return false;
    const waiting: Waiting = {
      for: 'budget',
      since: new Date().toISOString(),
      ...(until === undefined ? {} : { until: until.toISOString() }),
      budget: account,
      reason,
    };
    await setRunStatus(tx, run.id, 'waiting', waiting);
    const of = {
      actor: systemActor('worker'),
      step: input.step,
      ...(input.toolCallId === undefined ? {} : { toolCallId: input.toolCallId }),
    };
    const events: NewEvent[] = [
      { type: 'limit.reached', ...of, data: { limit, account, reason } },
      { type: 'run.waiting', ...of, data: { ...waiting } },
    ];
    await appendEvents(tx, run, events);
    return true;
  });
}
