// Rows of agent_runs. A transaction that appends events locks the run's row first (lockRun).
import type { RunStatus, RunStopReason, Used, Waiting } from '../contracts/agentRun.js';
import type { Actor } from '../contracts/events.js';
import type { ToolDefinition } from '../contracts/tools.js';
import type { PoolClient, Queryable } from './pool.js';

export interface RunRow {
  id: string;
  tenantId: string;
  agentName: string;
  agentVersion: string;
  tools: ToolDefinition[];
  status: RunStatus;
  waiting: Waiting | null;
  stopReason: RunStopReason | null;
  error: { type: string; message: string } | null;
  metadata: Record<string, string>;
  parentRunId: string | null;
  /** At the root of its tree of runs; null: it is itself the root. */
  rootRunId: string | null;
  createdBy: Actor;
  idempotencyKey: string | null;
  requestHash: string;
  maxSteps: number;
  maxTokens: number;
  maxCostNanoUsd: number;
  maxToolCalls: number;
  deadline: Date;
  steps: number;
  modelCalls: number;
  toolCalls: number;
  inputTokens: number;
  outputTokens: number;
  cacheReadTokens: number;
  cacheWriteTokens: number;
  costNanoUsd: number;
  lastSeq: number;
  lastHash: string;
  workflowStartedAt: Date | null;
  execution: number;
  cancelRequested: { by: Actor; reason?: string } | null;
  startAt: Date | null;
  createdAt: Date;
  startedAt: Date | null;
  endedAt: Date | null;
  erasedAt: Date | null;
  /** PostgreSQL's time when the row was read, under its lock if it was locked: the clock that counts. */
  readAt: Date;
}

export const RUN_COLUMNS = `id, tenant_id "tenantId", agent_name "agentName", agent_version "agentVersion", tools, status,
  waiting, stop_reason "stopReason", error, metadata, parent_run_id "parentRunId", root_run_id "rootRunId", created_by "createdBy",
  idempotency_key "idempotencyKey", request_hash "requestHash", max_steps "maxSteps", max_tokens "maxTokens",
  max_cost_nano_usd "maxCostNanoUsd", max_tool_calls "maxToolCalls", deadline, steps, model_calls "modelCalls",
  tool_calls "toolCalls", input_tokens "inputTokens", output_tokens "outputTokens",
  cache_read_tokens "cacheReadTokens", cache_write_tokens "cacheWriteTokens", cost_nano_usd "costNanoUsd",
  last_seq "lastSeq", last_hash "lastHash", workflow_started_at "workflowStartedAt", execution,
  cancel_requested "cancelRequested", start_at "startAt", created_at "createdAt", started_at "startedAt",
  ended_at "endedAt", erased_at "erasedAt", clock_timestamp() "readAt"`;

export async function findRun(db: Queryable, id: string): Promise<RunRow | undefined> {
  const { rows } = await db.query<RunRow>(`SELECT ${RUN_COLUMNS} FROM agent_runs WHERE id = $1`, [id]);
  return rows[0];
}

/** Has the run's tenant any budget, any rate? Most have none, and then nothing else is asked. */
export interface LimitsInForce {
  budgets: boolean;
  rates: boolean;
}

export type LockedRun = RunRow & { inForce: LimitsInForce };

const IN_FORCE = `json_build_object(
  'budgets', EXISTS (SELECT FROM budgets b WHERE b.tenant_id = agent_runs.tenant_id),
  'rates', EXISTS (SELECT FROM rates q WHERE q.tenant_id = agent_runs.tenant_id)) "inForce"`;

/** Locks the run until the transaction ends. Whoever appends events or changes the run's state holds this lock. */
export async function lockRun(tx: PoolClient, id: string): Promise<LockedRun> {
  const { rows } = await tx.query<LockedRun>(
    `SELECT ${RUN_COLUMNS}, ${IN_FORCE} FROM agent_runs WHERE id = $1 FOR UPDATE`,
    [id],
  );
  if (!rows[0]) throw new Error(`no agent run ${id}`);
  return rows[0];
}

/** The same lock, for one who knows what there is to read. */
export async function holdRun(tx: PoolClient, id: string): Promise<void> {
  await tx.query('SELECT FROM agent_runs WHERE id = $1 FOR UPDATE', [id]);
}

export interface NewRun {
  id: string;
  tenantId: string;
  agentName: string;
  agentVersion: string;
  tools: ToolDefinition[];
  metadata: Record<string, string>;
  parentRunId: string | null;
  rootRunId?: string | null;
  createdBy: Actor;
  idempotencyKey: string | null;
  requestHash: string;
  maxSteps: number;
  maxTokens: number;
  maxCostNanoUsd: number;
  maxToolCalls: number;
  deadline: Date;
  startAt: Date | null;
  lastHash: string;
}

/**
 * Inserts a queued run, which this transaction holds then as lockRun does. undefined when the tenant's idempotency key is
 * taken; the winner's row is left alone.
 */
export async function insertRun(tx: PoolClient, run: NewRun): Promise<RunRow | undefined> {
  const { rows } = await tx.query<RunRow>(
    `INSERT INTO agent_runs (id, tenant_id, agent_name, agent_version, tools, status, metadata, parent_run_id,
       created_by, idempotency_key, request_hash, max_steps, max_tokens, max_cost_nano_usd, max_tool_calls, deadline,
       start_at, last_hash, root_run_id)
     VALUES ($1, $2, $3, $4, $5, 'queued', $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
     ON CONFLICT (tenant_id, idempotency_key) DO NOTHING RETURNING ${RUN_COLUMNS}`,
    [
      run.id,
      run.tenantId,
      run.agentName,
      run.agentVersion,
      JSON.stringify(run.tools),
      run.metadata,
      run.parentRunId,
      JSON.stringify(run.createdBy),
      run.idempotencyKey,
      run.requestHash,
      run.maxSteps,
      run.maxTokens,
      run.maxCostNanoUsd,
      run.maxToolCalls,
      run.deadline,
      run.startAt,
      run.lastHash,
      run.rootRunId ?? null,
    ],
  );
  return rows[0];
}

export async function setRunStatus(
  tx: PoolClient,
  id: string,
  status: RunStatus,
  why: Waiting | null = null,
): Promise<void> {
  await tx.query(`UPDATE agent_runs SET status = $2, waiting = $3 WHERE id = $1`, [id, status, asJson(why)]);
}

/** Marks the start once; later calls only set the status. */
export async function setRunRunning(tx: PoolClient, id: string): Promise<void> {
  await tx.query(
    `UPDATE agent_runs SET status = 'running', waiting = NULL, started_at = coalesce(started_at, now()) WHERE id = $1`,
    [id],
  );
}

export async function setRunEnded(
  tx: PoolClient,
  id: string,
  end: { status: RunStatus; stopReason?: RunStopReason; error?: { type: string; message: string } },
): Promise<void> {
  await tx.query(
    `UPDATE agent_runs SET status = $2, waiting = NULL, stop_reason = $3, error = $4, ended_at = now() WHERE id = $1`,
    [id, end.status, end.stopReason ?? null, asJson(end.error ?? null)],
  );
}

/** Puts an ended run back in line for a new workflow execution, with its limits as given. */
export async function reopenRun(
  tx: PoolClient,
  id: string,
  limits: Pick<RunRow, 'maxSteps' | 'maxTokens' | 'maxCostNanoUsd' | 'maxToolCalls' | 'deadline'>,
): Promise<void> {
  await setRunLimits(tx, id, limits);
  await tx.query(
    `UPDATE agent_runs SET status = 'queued', waiting = NULL, stop_reason = NULL, error = NULL, ended_at = NULL,
       cancel_requested = NULL, workflow_started_at = NULL, execution = execution + 1
     WHERE id = $1`,
    [id],
  );
  // A step that was given up is given another chance.
  await tx.query(
    `UPDATE model_calls SET failed_attempts = attempts, failures = 0, failing_since = NULL, broken_replies = 0
     WHERE agent_run_id = $1 AND replied_at IS NULL`,
    [id],
  );
}

export async function setRunLimits(
  tx: PoolClient,
  id: string,
  limits: Pick<RunRow, 'maxSteps' | 'maxTokens' | 'maxCostNanoUsd' | 'maxToolCalls' | 'deadline'>,
): Promise<void> {
  await tx.query(
    `UPDATE agent_runs SET max_steps = $2, max_tokens = $3, max_cost_nano_usd = $4, max_tool_calls = $5, deadline = $6
     WHERE id = $1`,
    [id, limits.maxSteps, limits.maxTokens, limits.maxCostNanoUsd, limits.maxToolCalls, limits.deadline],
  );
}

/** The first request to cancel stands; it says who and why once the run has ended. */
export async function setCancelRequested(
  tx: PoolClient,
  id: string,
  request: { by: Actor; reason?: string },
): Promise<void> {
  await tx.query(`UPDATE agent_runs SET cancel_requested = coalesce(cancel_requested, $2::json) WHERE id = $1`, [
    id,
    JSON.stringify({ ...request, at: new Date().toISOString() }),
  ]);
}

/** False: it was marked before. */
export async function markWorkflowStarted(db: Queryable, id: string): Promise<boolean> {
  const { rowCount } = await db.query(
    'UPDATE agent_runs SET workflow_started_at = now() WHERE id = $1 AND workflow_started_at IS NULL',
    [id],
  );
  return rowCount === 1;
}

/** Runs that have no workflow although their start is older than `olderThanMs`: a process died in between. */
export async function unstartedRuns(db: Queryable, olderThanMs: number, limit: number): Promise<RunRow[]> {
  const { rows } = await db.query<RunRow>(
    `SELECT ${RUN_COLUMNS} FROM agent_runs
     WHERE workflow_started_at IS NULL AND status IN ('queued', 'running', 'waiting', 'paused')
       AND created_at < now() - $1 * interval '1 millisecond'
     ORDER BY created_at LIMIT $2`,
    [olderThanMs, limit],
  );
  return rows;
}

/** Open runs that a workflow has or had for at least `olderThanMs`, in order of their ids, after `afterId`. */
export async function openRunsWithWorkflow(
  db: Queryable,
  olderThanMs: number,
  afterId: string,
  limit: number,
): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    `SELECT id FROM agent_runs
     WHERE status IN ('queued', 'running', 'waiting', 'paused') AND id > $2
       AND workflow_started_at < now() - $1 * interval '1 millisecond'
     ORDER BY id LIMIT $3`,
    [olderThanMs, afterId, limit],
  );
  return rows.map((row) => row.id);
}

/** Those of these ids that have a row. */
export async function knownRuns(
  db: Queryable,
  ids: readonly string[],
): Promise<Map<string, { tenantId: string; status: RunStatus; erasedAt: Date | null }>> {
  const { rows } = await db.query<{ id: string; tenantId: string; status: RunStatus; erasedAt: Date | null }>(
    'SELECT id, tenant_id "tenantId", status, erased_at "erasedAt" FROM agent_runs WHERE id = ANY($1)',
    [ids],
  );
  return new Map(rows.map(({ id, ...run }) => [id, run]));
}

/** Open runs whose cancel was asked for at least `olderThanMs` ago. */
export async function runsToBeCancelled(db: Queryable, olderThanMs: number, limit: number): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    `SELECT id FROM agent_runs
     WHERE status IN ('queued', 'running', 'waiting', 'paused') AND workflow_started_at IS NOT NULL
       AND cancel_requested IS NOT NULL
       AND coalesce((cancel_requested->>'at')::timestamptz, '-infinity') < now() - $1 * interval '1 millisecond'
     ORDER BY id LIMIT $2`,
    [olderThanMs, limit],
  );
  return rows.map((row) => row.id);
}

/** Idempotency keys of runs made before; their runs stay. Returns how many were forgotten. */
export async function forgetIdempotencyKeys(db: Queryable, olderThanMs: number, limit: number): Promise<number> {
  const { rowCount } = await db.query(
    `UPDATE agent_runs SET idempotency_key = NULL WHERE id IN (
       SELECT id FROM agent_runs
       WHERE idempotency_key IS NOT NULL AND created_at < now() - $1 * interval '1 millisecond'
       ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)`,
    [olderThanMs, limit],
  );
  return rowCount ?? 0;
}

export async function findRunByIdempotencyKey(
  db: Queryable,
  tenantId: string,
  key: string,
): Promise<RunRow | undefined> {
  const { rows } = await db.query<RunRow>(
    `SELECT ${RUN_COLUMNS} FROM agent_runs WHERE tenant_id = $1 AND idempotency_key = $2`,
    [tenantId, key],
  );
  return rows[0];
}

export interface RunFilter {
  status?: RunStatus | undefined;
  agent?: string | undefined;
  createdAfter?: Date | undefined;
  createdBefore?: Date | undefined;
  metadata?: Record<string, string> | undefined;
  /** Position after which the page begins: the last row of the page before. */
  after?: { createdAt: string; id: string } | undefined;
  limit: number;
}

export type ListedRun = RunRow & { cursorTime: string };

/** Newest first. `cursorTime` keeps the microseconds that a Date would lose. */
export async function listRuns(db: Queryable, tenantId: string, filter: RunFilter): Promise<ListedRun[]> {
  const { rows } = await db.query<ListedRun>(
    `SELECT ${RUN_COLUMNS}, created_at::text "cursorTime" FROM agent_runs
     WHERE tenant_id = $1
       AND ($2::text IS NULL OR status = $2)
       AND ($3::text IS NULL OR agent_name = $3)
       AND ($4::timestamptz IS NULL OR created_at > $4)
       AND ($5::timestamptz IS NULL OR created_at < $5)
       AND ($6::jsonb IS NULL OR metadata @> $6)
       AND ($7::timestamptz IS NULL OR (created_at, id) < ($7, $8))
     ORDER BY created_at DESC, id DESC LIMIT $9`,
    [
      tenantId,
      filter.status ?? null,
      filter.agent ?? null,
      filter.createdAfter ?? null,
      filter.createdBefore ?? null,
      filter.metadata ? JSON.stringify(filter.metadata) : null,
      filter.after?.createdAt ?? null,
      filter.after?.id ?? null,
      filter.limit,
    ],
  );
  return rows;
}

export async function runsWaitingForBudget(db: Queryable, tenantId: string): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    `SELECT id FROM agent_runs WHERE tenant_id = $1 AND status = 'waiting' AND waiting->>'for' = 'budget' ORDER BY id`,
    [tenantId],
  );
  return rows.map((row) => row.id);
}

/** What counts against the limits so far, as the workflow keeps it. */
export const usedOf = (run: RunRow): Used => ({
  steps: run.steps,
  tokens: run.inputTokens + run.outputTokens + run.cacheReadTokens + run.cacheWriteTokens,
  costNanoUsd: run.costNanoUsd,
  toolCalls: run.toolCalls,
});

const asJson = (value: unknown): string | null => (value === null ? null : JSON.stringify(value));
