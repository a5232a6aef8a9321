// Cursors of lists: where a page ended, opaque to callers.
import { z } from 'zod';
import { badCursor } from './errors.js';

export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(500).optional(),
};

/** PostgreSQL's own text of a timestamp: microseconds that a Date would lose. */
const timestamp = z.string().regex(/^\d{4,6}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?[+-]\d\d(:\d\d)?$/);
const position = z.tuple([timestamp, z.string().regex(/^[\w-]{1,100}$/)]);

export const cursorOf = (time: string, id: string): string =>
  Buffer.from(JSON.stringify([time, id])).toString('base64url');

export function readCursor(cursor: string | undefined): { time: string; id: string } | undefined {
  if (cursor === undefined) return undefined;
  try {
    const [time, id] = position.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
    return { time, id };
  } catch {
    throw badCursor();
  }
}

/** Cuts a list that was read one row too long, and says where the next page begins. */
export function page<R extends { cursorTime: string; id: string }>(
  rows: readonly R[],
  limit: number,
): { rows: R[]; nextCursor: string | null } {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return { rows: shown, nextCursor: rows.length > limit && last ? cursorOf(last.cursorTime, last.id) : null };
}
