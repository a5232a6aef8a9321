// The single log: appends within the transaction of the rows they explain, and reads in order.
import type { NewEvent, RunEvent } from '../contracts/events.js';
import { chainEvents } from '../harness/log/eventHash.js';
import type { PoolClient, Queryable } from './pool.js';
import { progressSet, progressValues } from './runProgress.js';
import type { RunRow } from './runs.js';

/** Channel on which live readers hear that a run has new events; the payload is the run's id. */
export const EVENTS_CHANNEL = 'run_events';

const APPEND = `INSERT INTO events (agent_run_id, seq, type, at, actor, step, tool_call_id, data, prev_hash, hash)
  SELECT $1, seq, type, at, actor, step, tool_call_id, data, prev_hash, hash
  FROM unnest($2::int[], $3::text[], $4::timestamptz[], $5::json[], $6::int[], $7::text[], $8::json[], $9::text[],
    $10::text[]) AS e (seq, type, at, actor, step, tool_call_id, data, prev_hash, hash)`;
const MOVE = 'UPDATE agent_runs SET last_seq = $11, last_hash = $12';
const appendAnd = (move: string): string => `WITH appended AS (${APPEND}), moved AS (${move} WHERE id = $1)
  SELECT pg_notify('${EVENTS_CHANNEL}', $1)`;

const APPEND_AND_MOVE = appendAnd(`${MOVE}, tool_calls = tool_calls + $13`);
const APPEND_AND_SAVE = appendAnd(`${MOVE}, ${progressSet(13)}`);

/**
 * Appends events to a run whose row this transaction has locked, moves the head of its chain, and tells live readers
 * when the transaction commits. `run` is changed at once, so that a second append in the transaction goes on from there.
 * The same statement counts tool calls, or writes all `progress` that was noted on `run` (db/runProgress.ts).
 */
export async function appendEvents(
  tx: PoolClient,
  run: RunRow,
  events: readonly NewEvent[],
  { progress = false, toolCalls = 0 } = {},
): Promise<RunEvent[]> {
  if (events.length === 0) return [];
  const chained = chainEvents(run.id, { seq: run.lastSeq, hash: run.lastHash }, events, new Date().toISOString());
  const head = chained.at(-1) as RunEvent;
  run.lastSeq = head.seq;
  run.lastHash = head.hash;
  run.toolCalls += toolCalls;
  await tx.query(progress ? APPEND_AND_SAVE : APPEND_AND_MOVE, [
    run.id,
    chained.map((e) => e.seq),
    chained.map((e) => e.type),
    chained.map((e) => e.at),
    chained.map((e) => JSON.stringify(e.actor)),
    chained.map((e) => e.step ?? null),
    chained.map((e) => e.toolCallId ?? null),
    chained.map((e) => JSON.stringify(e.data)),
    chained.map((e) => e.prevHash),
    chained.map((e) => e.hash),
    head.seq,
    head.hash,
    ...(progress ? progressValues(run) : [toolCalls]),
  ]);
  return chained;
}

/** Another transaction has appended an event since the run was read: what was written on what it said is undone. */
export const hasMovedOn = (err: unknown): boolean => {
  const { code, constraint } = (err ?? {}) as { code?: unknown; constraint?: unknown };
  return code === '23505' && constraint === 'events_pkey';
};

interface EventRow extends Omit<RunEvent, 'at' | 'step' | 'toolCallId'> {
  at: Date;
  step: number | null;
  toolCallId: string | null;
}

/** Events numbered above `after`, in order, at most `limit`; of the given types only, if any are given. */
export async function readEvents(
  db: Queryable,
  agentRunId: string,
  after: number,
  limit: number,
  types?: readonly string[],
): Promise<RunEvent[]> {
  const { rows } = await db.query<EventRow>(
    `SELECT seq, type, at, actor, step, tool_call_id "toolCallId", data, prev_hash "prevHash", hash
     FROM events WHERE agent_run_id = $1 AND seq > $2 AND ($4::text[] IS NULL OR type = ANY ($4))
     ORDER BY seq LIMIT $3`,
    [agentRunId, after, limit, types ?? null],
  );
  return rows.map(({ step, toolCallId, at, ...row }) => ({
    ...row,
    at: at.toISOString(),
    ...(step === null ? {} : { step }),
    ...(toolCallId === null ? {} : { toolCallId }),
  }));
}

/** Ids of the signals of a run that were recorded as ignored. */
export async function writtenSignals(db: Queryable, runId: string): Promise<Set<string>> {
  const { rows } = await db.query<{ id: string | null }>(
    `SELECT data->>'signalId' id FROM events WHERE agent_run_id = $1 AND type = 'signal.ignored'`,
    [runId],
  );
  return new Set(rows.flatMap(({ id }) => (id === null ? [] : [id])));
}
