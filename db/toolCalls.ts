// Proposed tool calls. claimed_at is set before the tool may act; outcome is set once, by whoever comes first.
import type { CallDecision } from '../contracts/policy.js';
import type { ToolEffect, ToolOutcome, ToolVerdict } from '../contracts/tools.js';
import type { PoolClient, Queryable } from './pool.js';

export interface ToolCallRow {
  id: string;
  step: number;
  position: number;
  tool: string;
  effect: ToolEffect;
  verdict: ToolVerdict;
  rule: string;
  reason: string;
  /** null for calls that never came to be judged by rules, and for erased ones. */
  decision: CallDecision | null;
  argumentsHash: string;
  argumentsDigest: string;
  summary: string;
  outcome: ToolOutcome | null;
  resultHash: string | null;
  isError: boolean | null;
  attempts: number;
  /** Attempts whose end was recorded, though they brought no result. */
  failedAttempts: number;
  claimedAt: Date | null;
  /** Who makes the latest attempt, and since when. null once its end is known. */
  claimedBy: string | null;
  attemptedAt: Date | null;
  returnedAt: Date | null;
  /** Why nobody knows whether the call happened, while a person is asked. */
  doubt: string | null;
  doubtedAt: Date | null;
  /** Times it was in doubt. */
  doubts: number;
  /** A person gave other arguments than the model. */
  edited: boolean;
  /** Of what the tool returned, where the model is shown more than that. */
  resultDigest: string | null;
  /** The true result, when it came after the model had been told that nobody knows it. */
  lateOutcome: 'succeeded' | 'failed' | null;
  lateResultHash: string | null;
}

const COLUMNS = `id, step, position, tool, effect, verdict, rule, reason, decision, arguments_hash "argumentsHash",
  arguments_digest "argumentsDigest", summary, outcome, result_hash "resultHash", is_error "isError", attempts,
  failed_attempts "failedAttempts", claimed_at "claimedAt", claimed_by "claimedBy", attempted_at "attemptedAt", returned_at "returnedAt", doubt,
  doubted_at "doubtedAt", doubts, edited,
  result_digest "resultDigest", late_outcome "lateOutcome", late_result_hash "lateResultHash"`;

export type NewToolCall = Omit<
  ToolCallRow,
  | 'attempts'
  | 'failedAttempts'
  | 'claimedAt'
  | 'attemptedAt'
  | 'returnedAt'
  | 'doubt'
  | 'doubtedAt'
  | 'doubts'
  | 'edited'
  | 'lateOutcome'
  | 'lateResultHash'
>;

/** Those with `claimedBy` are claimed at once, for a first attempt. */
export async function insertToolCalls(
  tx: PoolClient,
  agentRunId: string,
  calls: readonly NewToolCall[],
): Promise<void> {
  if (calls.length === 0) return;
  await tx.query(
    `INSERT INTO tool_calls (agent_run_id, id, step, position, tool, effect, verdict, rule, reason, arguments_hash,
       arguments_digest, summary, outcome, result_hash, is_error, result_digest, decision, returned_at,
       attempts, claimed_by, claimed_at, attempted_at)
     SELECT $1, id, step, position, tool, effect, verdict, rule, reason, arguments_hash, arguments_digest, summary,
       outcome, result_hash, is_error, result_digest, decision, CASE WHEN outcome IS NULL THEN NULL ELSE now() END,
       CASE WHEN claimed_by IS NULL THEN 0 ELSE 1 END, claimed_by, CASE WHEN claimed_by IS NULL THEN NULL ELSE now() END,
       CASE WHEN claimed_by IS NULL THEN NULL ELSE now() END
     FROM unnest($2::text[], $3::int[], $4::int[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
       $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::bool[], $16::text[], $17::json[], $18::text[])
       AS c (id, step, position, tool, effect, verdict, rule, reason, arguments_hash, arguments_digest, summary,
         outcome, result_hash, is_error, result_digest, decision, claimed_by)`,
    [
      agentRunId,
      calls.map((c) => c.id),
      calls.map((c) => c.step),
      calls.map((c) => c.position),
      calls.map((c) => c.tool),
      calls.map((c) => c.effect),
      calls.map((c) => c.verdict),
      calls.map((c) => c.rule),
      calls.map((c) => c.reason),
      calls.map((c) => c.argumentsHash),
      calls.map((c) => c.argumentsDigest),
      calls.map((c) => c.summary),
      calls.map((c) => c.outcome),
      calls.map((c) => c.resultHash),
      calls.map((c) => c.isError),
      calls.map((c) => c.resultDigest),
      calls.map((c) => (c.decision === null ? null : JSON.stringify(c.decision))),
      calls.map((c) => c.claimedBy),
    ],
  );
}

/** Call under the run's lock: then nobody else changes the row until the transaction ends. */
export async function findToolCall(
  db: Queryable,
  agentRunId: string,
  toolCallId: string,
): Promise<ToolCallRow | undefined> {
  const { rows } = await db.query<ToolCallRow>(
    `SELECT ${COLUMNS} FROM tool_calls WHERE agent_run_id = $1 AND id = $2`,
    [agentRunId, toolCallId],
  );
  return rows[0];
}

/** The calls of the steps `fromStep` to `toStep`, in the order the model made them. */
export async function listToolCalls(
  db: Queryable,
  agentRunId: string,
  fromStep: number,
  toStep: number,
): Promise<ToolCallRow[]> {
  const { rows } = await db.query<ToolCallRow>(
    `SELECT ${COLUMNS} FROM tool_calls WHERE agent_run_id = $1 AND step BETWEEN $2 AND $3 ORDER BY step, position`,
    [agentRunId, fromStep, toStep],
  );
  return rows;
}

/** Finished calls of a tool with these arguments, and the digests of their results. */
export interface SameCalls {
  tool: string;
  argumentsDigest: string;
  results: string[];
}

/**
 * Finished calls of the `steps` before `step`, after the last wait for a time; only those like `likeCallId`, if given.
 * Bounded, so that a long run pays no more for it than a short one.
 */
export async function sameCallsBefore(
  db: Queryable,
  agentRunId: string,
  { step, steps, likeCallId }: { step: number; steps: number; likeCallId?: string },
): Promise<SameCalls[]> {
  const { rows } = await db.query<SameCalls>(
    `WITH recent AS (
       SELECT * FROM tool_calls WHERE agent_run_id = $1 AND step BETWEEN greatest(1, $2::int - $3::int) AND $2
     )
     SELECT tool, arguments_digest "argumentsDigest", array_agg(coalesce(result_digest, result_hash)) results
     FROM recent
     WHERE outcome IS NOT NULL AND result_hash IS NOT NULL
       AND step > coalesce((SELECT max(step) FROM recent WHERE tool = 'sleep_until' AND outcome IS NOT NULL), 0)
       AND ($4::text IS NULL OR
         arguments_digest = (SELECT arguments_digest FROM tool_calls WHERE agent_run_id = $1 AND id = $4))
     GROUP BY 1, 2`,
    [agentRunId, step, steps, likeCallId ?? null],
  );
  return rows;
}

export const timesBefore = (
  same: readonly SameCalls[],
  tool: string,
  argumentsDigest: string,
  result: string,
): number =>
  same
    .filter((calls) => calls.tool === tool && calls.argumentsDigest === argumentsDigest)
    .flatMap((calls) => calls.results)
    .filter((digest) => digest === result).length;

/** Which of these ids the run has used already. */
export async function usedToolCallIds(db: Queryable, agentRunId: string, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  const { rows } = await db.query<{ id: string }>(
    'SELECT id FROM tool_calls WHERE agent_run_id = $1 AND id = ANY ($2)',
    [agentRunId, ids],
  );
  return new Set(rows.map((row) => row.id));
}

export async function unsettledToolCalls(db: Queryable, agentRunId: string): Promise<ToolCallRow[]> {
  const { rows } = await db.query<ToolCallRow>(
    `SELECT ${COLUMNS} FROM tool_calls WHERE agent_run_id = $1 AND outcome IS NULL ORDER BY step, position`,
    [agentRunId],
  );
  return rows;
}

/** One more attempt of this worker; returns its number. */
export async function claimToolCall(
  tx: PoolClient,
  agentRunId: string,
  toolCallId: string,
  workerId: string,
): Promise<number> {
  const { rows } = await tx.query<{ attempts: number }>(
    `UPDATE tool_calls SET claimed_at = coalesce(claimed_at, now()), claimed_by = $3, attempted_at = now(),
       attempts = attempts + 1, doubt = NULL, doubted_at = NULL
     WHERE agent_run_id = $1 AND id = $2 AND outcome IS NULL RETURNING attempts`,
    [agentRunId, toolCallId, workerId],
  );
  if (!rows[0]) throw new Error(`tool call ${toolCallId} of ${agentRunId} is settled already`);
  return rows[0].attempts;
}

export async function countFailedAttempt(tx: PoolClient, agentRunId: string, toolCallId: string): Promise<void> {
  await tx.query(
    `UPDATE tool_calls SET failed_attempts = least(attempts, failed_attempts + 1), claimed_by = NULL
     WHERE agent_run_id = $1 AND id = $2`,
    [agentRunId, toolCallId],
  );
}

/** Sets the outcome unless there is one. False: another attempt was first, and its outcome stands. */
export async function settleToolCall(
  tx: PoolClient,
  agentRunId: string,
  toolCallId: string,
  result: { outcome: ToolOutcome; resultHash: string; isError: boolean; resultDigest: string | null },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `UPDATE tool_calls SET outcome = $3, result_hash = $4, is_error = $5, result_digest = $6, returned_at = now(),
       doubt = NULL
     WHERE agent_run_id = $1 AND id = $2 AND outcome IS NULL`,
    [agentRunId, toolCallId, result.outcome, result.resultHash, result.isError, result.resultDigest],
  );
  return rowCount === 1;
}

/** What really happened, in place of `unknown`: the model has not been told anything yet. */
export async function correctToolCall(
  tx: PoolClient,
  agentRunId: string,
  toolCallId: string,
  result: { outcome: ToolOutcome; resultHash: string; isError: boolean },
): Promise<void> {
  await tx.query(
    `UPDATE tool_calls SET outcome = $3, result_hash = $4, is_error = $5, result_digest = NULL, returned_at = now()
     WHERE agent_run_id = $1 AND id = $2`,
    [agentRunId, toolCallId, result.outcome, result.resultHash, result.isError],
  );
}

/** The same beside what the model was told. */
export async function addLateResult(
  tx: PoolClient,
  agentRunId: string,
  toolCallId: string,
  result: { outcome: ToolOutcome; resultHash: string },
): Promise<void> {
  await tx.query('UPDATE tool_calls SET late_outcome = $3, late_result_hash = $4 WHERE agent_run_id = $1 AND id = $2', [
    agentRunId,
    toolCallId,
    result.outcome,
    result.resultHash,
  ]);
}

/** Nobody knows whether the call happened, and a person will be asked. */
export async function doubtToolCall(
  tx: PoolClient,
  agentRunId: string,
  toolCallId: string,
  why: string,
): Promise<ToolCallRow> {
  const { rows } = await tx.query<ToolCallRow>(
    `UPDATE tool_calls SET doubt = $3, doubted_at = now(), doubts = doubts + 1, claimed_by = NULL
     WHERE agent_run_id = $1 AND id = $2 AND outcome IS NULL RETURNING ${COLUMNS}`,
    [agentRunId, toolCallId, why],
  );
  if (!rows[0]) throw new Error(`tool call ${toolCallId} of ${agentRunId} is settled already`);
  return rows[0];
}

/** Calls of which nobody knows whether they happened, whether the model was told or a person is being asked. */
export async function unknownToolCalls(db: Queryable, agentRunId: string): Promise<ToolCallRow[]> {
  const { rows } = await db.query<ToolCallRow>(
    `SELECT ${COLUMNS} FROM tool_calls
     WHERE agent_run_id = $1 AND (outcome = 'unknown' OR doubt IS NOT NULL) AND late_outcome IS NULL
     ORDER BY step, position`,
    [agentRunId],
  );
  return rows;
}

/** After an edit the call carries the arguments that a person gave. */
export async function setToolCallArguments(
  tx: PoolClient,
  agentRunId: string,
  toolCallId: string,
  edited: { argumentsHash: string; argumentsDigest: string },
): Promise<void> {
  await tx.query(
    `UPDATE tool_calls SET arguments_hash = $3, arguments_digest = $4, edited = true WHERE agent_run_id = $1 AND id = $2`,
    [agentRunId, toolCallId, edited.argumentsHash, edited.argumentsDigest],
  );
}
