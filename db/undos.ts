// Undos of runs, and what became of each call in them. One at a time per run.
import type { Actor } from '../contracts/events.js';
import type { UndoOutcome } from '../contracts/undo.js';
import type { FinishedCall } from '../harness/undoPlan.js';
import type { PoolClient, Queryable } from './pool.js';

export interface UndoRow {
  agentRunId: string;
  number: number;
  planDigest: string;
  /** In the order in which they are taken back. */
  toolCallIds: string[];
  approvedBy: Actor;
  approvedAt: Date;
  finishedAt: Date | null;
}

export interface CompensationRow {
  toolCallId: string;
  number: number;
  attempts: number;
  outcome: UndoOutcome | null;
  why: string | null;
}

const COLUMNS = `agent_run_id "agentRunId", number, plan_digest "planDigest", tool_call_ids "toolCallIds",
  approved_by "approvedBy", approved_at "approvedAt", finished_at "finishedAt"`;

export async function lastUndo(db: Queryable, agentRunId: string): Promise<UndoRow | undefined> {
  const { rows } = await db.query<UndoRow>(
    `SELECT ${COLUMNS} FROM undos WHERE agent_run_id = $1 ORDER BY number DESC LIMIT 1`,
    [agentRunId],
  );
  return rows[0];
}

export async function insertUndo(
  tx: PoolClient,
  undo: Pick<UndoRow, 'agentRunId' | 'number' | 'planDigest' | 'toolCallIds' | 'approvedBy'>,
): Promise<void> {
  await tx.query(
    `INSERT INTO undos (agent_run_id, number, plan_digest, tool_call_ids, approved_by) VALUES ($1, $2, $3, $4, $5)`,
    [undo.agentRunId, undo.number, undo.planDigest, undo.toolCallIds, JSON.stringify(undo.approvedBy)],
  );
}

/** False: it was finished before. */
export async function finishUndo(tx: PoolClient, agentRunId: string, number: number): Promise<boolean> {
  const { rowCount } = await tx.query(
    'UPDATE undos SET finished_at = now() WHERE agent_run_id = $1 AND number = $2 AND finished_at IS NULL',
    [agentRunId, number],
  );
  return rowCount === 1;
}

/** Approved for at least `olderThanMs` and not finished: their workflow may be missing. */
export async function openUndos(db: Queryable, olderThanMs: number, limit: number): Promise<UndoRow[]> {
  const { rows } = await db.query<UndoRow>(
    `SELECT ${COLUMNS} FROM undos WHERE finished_at IS NULL AND approved_at < now() - $1 * interval '1 millisecond'
     ORDER BY approved_at LIMIT $2`,
    [olderThanMs, limit],
  );
  return rows;
}

export async function compensationsOf(db: Queryable, agentRunId: string): Promise<CompensationRow[]> {
  const { rows } = await db.query<CompensationRow>(
    `SELECT tool_call_id "toolCallId", number, attempts, outcome, why FROM compensations WHERE agent_run_id = $1`,
    [agentRunId],
  );
  return rows;
}

interface CompensationKey {
  agentRunId: string;
  number: number;
  toolCallId: string;
}

/** Who began its last attempt, and when. */
export async function lastCompensationAttempt(
  tx: PoolClient,
  { agentRunId, number, toolCallId }: CompensationKey,
): Promise<{ by: string | null; since: Date | null } | undefined> {
  const { rows } = await tx.query<{ by: string | null; since: Date | null }>(
    `SELECT begun_by "by", begun_at "since" FROM compensations
     WHERE agent_run_id = $1 AND number = $2 AND tool_call_id = $3 AND outcome IS NULL`,
    [agentRunId, number, toolCallId],
  );
  return rows[0];
}

/** One more attempt; returns its number, or undefined when it has ended before. */
export async function beginCompensation(
  tx: PoolClient,
  { agentRunId, number, toolCallId }: CompensationKey,
  workerId: string,
): Promise<number | undefined> {
  const { rows } = await tx.query<{ attempts: number }>(
    `INSERT INTO compensations (agent_run_id, number, tool_call_id, attempts, begun_by, begun_at)
     VALUES ($1, $2, $3, 1, $4, now())
     ON CONFLICT (agent_run_id, number, tool_call_id) DO UPDATE
       SET attempts = compensations.attempts + 1, begun_by = excluded.begun_by, begun_at = excluded.begun_at
       WHERE compensations.outcome IS NULL
     RETURNING attempts`,
    [agentRunId, number, toolCallId, workerId],
  );
  return rows[0]?.attempts;
}

/** The attempt has ended and another may follow. */
export async function pauseCompensation(
  tx: PoolClient,
  { agentRunId, number, toolCallId }: CompensationKey,
): Promise<void> {
  await tx.query(
    `UPDATE compensations SET begun_by = NULL, begun_at = NULL
     WHERE agent_run_id = $1 AND number = $2 AND tool_call_id = $3`,
    [agentRunId, number, toolCallId],
  );
}

/** False: it had ended before, and that stands. */
export async function endCompensation(
  tx: PoolClient,
  { agentRunId, number, toolCallId }: CompensationKey,
  end: { outcome: UndoOutcome; resultHash: string; why: string | null },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `UPDATE compensations SET outcome = $4, result_hash = $5, why = $6, ended_at = now()
     WHERE agent_run_id = $1 AND number = $2 AND tool_call_id = $3 AND outcome IS NULL`,
    [agentRunId, number, toolCallId, end.outcome, end.resultHash, end.why],
  );
  return rowCount === 1;
}

/** Calls that may have changed something: at most so many as a run may have. */
export async function callsWithEffect(db: Queryable, agentRunId: string): Promise<FinishedCall[]> {
  const { rows } = await db.query<FinishedCall>(
    `SELECT id, step, position, tool, effect, coalesce(late_outcome, outcome) outcome, claimed_at "claimedAt", returned_at "returnedAt",
       arguments_hash "argumentsHash", arguments_digest "argumentsDigest", coalesce(late_result_hash, result_hash) "resultHash"
     FROM tool_calls WHERE agent_run_id = $1 AND effect <> 'read' AND claimed_at IS NOT NULL AND outcome IS NOT NULL
     ORDER BY step, position`,
    [agentRunId],
  );
  return rows;
}
