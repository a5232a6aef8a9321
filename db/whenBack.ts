// Waits out a database that is away or full, for work whose result must not be lost.
import { setTimeout } from 'node:timers/promises';

/** Pause before another try, in milliseconds: doubling from the first to the last. */
const FIRST_MS = 100;
const LAST_MS = 2000;
/** A worker holds a result this long, in milliseconds; then the attempt fails and another one is made. */
const GIVE_UP_MS = 10 * 60_000;

/** SQLSTATE classes and codes that pass: connection, resources (disk full among them), shutdown, conflict. */
const PASSING = /^(08|53|57P0[1-5]|58030|40001|40P01|25006)/;
const NETWORK = /^(ECONN(REFUSED|RESET|ABORTED)|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH)$/;
/** What the pg library says without a code. */
const WORDS =
  /connection terminated|timeout exceeded when trying to connect|client has encountered a connection error/i;

export function isPassing(err: unknown): boolean {
  const { code, message } = (err ?? {}) as { code?: unknown; message?: unknown };
  if (typeof code === 'string') return PASSING.test(code) || NETWORK.test(code);
  return typeof message === 'string' && WORDS.test(message);
}

/** `work` is one transaction that may be repeated: whether a broken COMMIT counted is not known. */
export async function whenBack<T>(work: () => Promise<T>, onWait: (err: unknown) => void): Promise<T> {
  const end = performance.now() + GIVE_UP_MS;
  for (let delay = FIRST_MS; ; delay = Math.min(LAST_MS, delay * 2)) {
    try {
      return await work();
    } catch (err) {
      if (!isPassing(err) || performance.now() > end) throw err;
      if (delay === FIRST_MS) onWait(err);
      await setTimeout(delay);
    }
  }
}
