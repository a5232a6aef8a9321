// Calls that a worker of ours is at. Temporal may hand out a second attempt of one whose first goes on: it had not heard
// of it for a while. That one waits for the first and uses what it brings.
import { setTimeout } from 'node:timers/promises';
import { ApplicationFailure, CancelledFailure } from '@temporalio/activity';
import type { PoolClient } from '../db/pool.js';
import { findWorkerAt } from '../db/workers.js';
import type { Deps } from './deps.js';

export interface Stoppable {
  signal: AbortSignal;
  /** Was the run cancelled, or is the worker only going away? */
  cancelRequested(): boolean;
}

export class CallsUnderWay {
  private readonly running = new Map<string, { ended: Promise<unknown>; stop(cancelled: boolean): void }>();

  keys(): string[] {
    return [...this.running.keys()];
  }

  /** Begins when no other attempt of this call is under way in this process. A cancel reaches the one that is. */
  async alone<T>(key: string, asked: Stoppable, work: (driver: Stoppable) => Promise<T>): Promise<T> {
    for (let first = this.running.get(key); first; first = this.running.get(key)) {
      const running = first;
      const pass = (): void => running.stop(asked.cancelRequested());
      if (asked.signal.aborted) pass();
      asked.signal.addEventListener('abort', pass, { once: true });
      await first.ended;
      asked.signal.removeEventListener('abort', pass);
    }
    const own = new AbortController();
    let cancelled = false;
    const working = work({
      signal: AbortSignal.any([asked.signal, own.signal]),
      cancelRequested: () => cancelled || asked.cancelRequested(),
    });
    this.running.set(key, {
      ended: working.catch(() => undefined),
      stop(becauseCancelled) {
        cancelled ||= becauseCancelled;
        own.abort();
      },
    });
    try {
      return await working;
    } finally {
      this.running.delete(key);
    }
  }
}

/** Pause before another look at a call that goes on elsewhere, in milliseconds: doubling from the first to the last. */
const LOOK_FIRST_MS = 50;
const LOOK_LAST_MS = 1000;

/** Looks until the call does not go on elsewhere (any more). Throws when it is told to stop before. */
export async function waitWhileElsewhere<T extends { kind: string }>(
  driver: Stoppable,
  look: () => Promise<T>,
): Promise<Exclude<T, { kind: 'elsewhere' }>> {
  for (let pause = LOOK_FIRST_MS; ; pause = Math.min(LOOK_LAST_MS, pause * 2)) {
    const seen = await look();
    if (seen.kind !== 'elsewhere') return seen as Exclude<T, { kind: 'elsewhere' }>;
    await setTimeout(pause, undefined, { signal: driver.signal }).catch(() => undefined);
    if (driver.signal.aborted) throw stopped(driver);
  }
}

/** A run that was cancelled ends here; a worker that is going away hands the call back to be made elsewhere. */
export const stopped = (driver: Stoppable): Error =>
  driver.cancelRequested()
    ? new CancelledFailure('the call was stopped')
    : ApplicationFailure.create({ type: 'WorkerShutdown', message: 'handed back: the worker is shutting down' });

/** Does another worker, who is alive, go on with the attempt that it began then? Call under the run's lock. */
export async function goesOnElsewhere(
  tx: PoolClient,
  { workerId, isLost }: Pick<Deps, 'workerId' | 'isLost'>,
  attempt: { key: string; by: string | null; since: Date | null },
): Promise<boolean> {
  if (attempt.by === null || attempt.by === workerId || attempt.since === null) return false;
  const worker = await findWorkerAt(tx, attempt.by, attempt.key, attempt.since);
  return worker?.atIt === true && !isLost({ ...worker, id: attempt.by });
}
