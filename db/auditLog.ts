// The log as an audit reads it: exactly as it is stored, so that nothing that was changed is read as if it were the same.
import type { RunEvent } from '../contracts/events.js';
import type { Queryable } from './pool.js';

/** RFC 3339 with milliseconds, or with microseconds when there are any: we write none. */
export const exactTime = (column: string): string =>
  `regexp_replace(to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '000$', '') || 'Z'`;

export interface AuditedRun {
  id: string;
  lastSeq: number;
  lastHash: string;
}

/** Ids of a tenant's runs in order, after `afterId`; or one of them. */
export async function runsToAudit(
  db: Queryable,
  tenantId: string,
  { afterId, limit, runId }: { afterId: string; limit: number; runId?: string | undefined },
): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    `SELECT id FROM agent_runs
     WHERE tenant_id = $1 AND id > $2 AND ($4::text IS NULL OR id = $4) ORDER BY id LIMIT $3`,
    [tenantId, afterId, limit, runId ?? null],
  );
  return rows.map((row) => row.id);
}

/** What the rows of these runs say of the ends of their logs. */
export async function headsToAudit(db: Queryable, runIds: readonly string[]): Promise<Map<string, AuditedRun>> {
  const { rows } = await db.query<AuditedRun>(
    'SELECT id, last_seq "lastSeq", last_hash "lastHash" FROM agent_runs WHERE id = ANY ($1)',
    [runIds],
  );
  return new Map(rows.map((row) => [row.id, row]));
}

interface EventTexts extends Omit<RunEvent, 'actor' | 'data' | 'step' | 'toolCallId'> {
  actor: string;
  data: string;
  step: number | null;
  toolCallId: string | null;
}

/** `exact: false`: its JSON is not as we write it, although it may mean the same. */
export type AuditedEvent = RunEvent & { runId: string; exact: boolean };

/** Events of these runs in order, from the first of them after number `after` on, at most `limit`. */
export async function eventsToAudit(
  db: Queryable,
  runIds: readonly string[],
  after: number,
  limit: number,
): Promise<AuditedEvent[]> {
  const { rows } = await db.query<EventTexts & { runId: string }>(
    `SELECT agent_run_id "runId", seq, type, ${exactTime('at')} AS "at", actor::text actor, step,
       tool_call_id "toolCallId", data::text "data", prev_hash "prevHash", hash
     FROM events WHERE agent_run_id = ANY ($1) AND (agent_run_id, seq) > ($2, $3)
     ORDER BY agent_run_id, seq LIMIT $4`,
    [runIds, runIds[0] ?? '', after, limit],
  );
  return rows.map(({ runId, seq, type, at, actor, step, toolCallId, data, prevHash, hash }) => {
    const parsed = { actor: JSON.parse(actor) as RunEvent['actor'], data: JSON.parse(data) as RunEvent['data'] };
    return {
      runId,
      seq,
      type,
      at,
      actor: parsed.actor,
      ...(step === null ? {} : { step }),
      ...(toolCallId === null ? {} : { toolCallId }),
      data: parsed.data,
      prevHash,
      hash,
      exact: JSON.stringify(parsed.actor) === actor && JSON.stringify(parsed.data) === data,
    };
  });
}
