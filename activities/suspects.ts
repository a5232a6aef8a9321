// Calls whose attempts vanished: the worker died or stood still in them. Perhaps it was they that killed it.
import { ApplicationFailure } from '@temporalio/activity';

/** So many vanished attempts of one call end its run. */
export const MAX_VANISHED = 3;

/** Attempts that neither ended nor are known to have failed; call it before the next one is counted. */
const vanishedAttempts = (call: { attempts: number; failedAttempts: number }): number =>
  Math.max(0, call.attempts - call.failedAttempts);

/** One more and it is given up: it runs with no other suspect beside it, so that only the culprit is counted. */
export const isSuspect = (call: { attempts: number; failedAttempts: number }): boolean =>
  vanishedAttempts(call) === MAX_VANISHED - 1;

export const isQuarantined = (call: { attempts: number; failedAttempts: number }): boolean =>
  vanishedAttempts(call) >= MAX_VANISHED;

/** Stops the run; the worker's other runs go on. */
export const quarantined = (what: string): ApplicationFailure =>
  ApplicationFailure.create({
    type: 'Quarantined',
    message:
      `${what} took its worker down ${MAX_VANISHED} times (out of memory, a crash, or a blocked process) and is not tried ` +
      'again. Mend what it does, then resume the run.',
    nonRetryable: true,
  });

/** One suspect at a time in a process: when it dies again, only the culprit is counted. */
export class Suspects {
  private last: Promise<unknown> = Promise.resolve();

  alone<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.last.then(work);
    this.last = mine.catch(() => undefined);
    return mine;
  }
}
