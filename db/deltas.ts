// Pieces of a reply while it is being written: told to whoever watches, stored nowhere.
import type { Queryable } from './pool.js';

export const DELTAS_CHANNEL = 'run_deltas';

export interface Delta {
  runId: string;
  step: number;
  /** A viewer drops the text of a dead attempt when a higher one appears. */
  attempt: number;
  kind: 'text' | 'thinking';
  text: string;
}

/** PostgreSQL refuses payloads of 8,000 bytes and more. Characters, not bytes: a character has at most 4. */
const MAX_TEXT = 1500;

export async function publishDelta(db: Queryable, delta: Delta): Promise<void> {
  for (let from = 0; from < delta.text.length; from += MAX_TEXT) {
    const text = delta.text.slice(from, from + MAX_TEXT);
    await db.query('SELECT pg_notify($1, $2)', [DELTAS_CHANNEL, JSON.stringify({ ...delta, text })]);
  }
}
