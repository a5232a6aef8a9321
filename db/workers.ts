// Worker processes with their leases, and the tools they offer.
import type { ToolDefinition } from '../contracts/tools.js';
import type { PoolClient, Queryable } from './pool.js';

/** How long a worker counts as alive after it last said so, in milliseconds. Renewed at a third of it. */
export const WORKER_LEASE_MS = 9000;

export interface WorkerProcess {
  pid: number;
  pidSpace: string | null;
  pidStarted: string | null;
}

export interface WorkerIdentity extends WorkerProcess {
  id: string;
  name: string;
  host: string;
  queues: string[];
  codeVersion: string;
}

export async function registerWorker(db: Queryable, w: WorkerIdentity): Promise<void> {
  await db.query(
    `INSERT INTO workers (id, name, host, pid, queues, code_version, lease_until, pid_space, pid_started)
     VALUES ($1, $2, $3, $4, $5, $6, now() + $7 * interval '1 millisecond', $8, $9)`,
    [w.id, w.name, w.host, w.pid, w.queues, w.codeVersion, WORKER_LEASE_MS, w.pidSpace, w.pidStarted],
  );
}

/** Also of one that was given up: it is there after all. */
export async function renewWorkerLease(db: Queryable, id: string, workingOn: readonly string[]): Promise<void> {
  await db.query(
    `UPDATE workers SET lease_until = now() + $2 * interval '1 millisecond', lost_at = NULL, renewed_at = now(),
       working_on = $3
     WHERE id = $1`,
    [id, WORKER_LEASE_MS, workingOn],
  );
}

/** A worker, and whether it is at this call: it said so with its last renewal, or began since. */
export async function findWorkerAt(
  db: Queryable,
  id: string,
  call: string,
  since: Date,
): Promise<(WorkerProcess & { atIt: boolean }) | undefined> {
  const { rows } = await db.query<WorkerProcess & { atIt: boolean }>(
    `SELECT pid, pid_space "pidSpace", pid_started "pidStarted",
       stopped_at IS NULL AND lost_at IS NULL
         AND ($2 = ANY (working_on) OR renewed_at < $3::timestamptz + interval '1 second') "atIt"
     FROM workers WHERE id = $1`,
    [id, call, since],
  );
  return rows[0];
}

export async function markWorkerStopped(db: Queryable, id: string): Promise<void> {
  await db.query('UPDATE workers SET stopped_at = now(), lease_until = now() WHERE id = $1', [id]);
}

export interface PeerWorker extends WorkerProcess {
  id: string;
  /** Another text after each renewal of its lease. */
  renewed: string;
}

/** The workers beside this one that nobody has given up. */
export async function listPeerWorkers(db: Queryable, self: string): Promise<PeerWorker[]> {
  const { rows } = await db.query<PeerWorker>(
    `SELECT id, pid, pid_space "pidSpace", pid_started "pidStarted", renewed_at::text renewed
     FROM workers WHERE stopped_at IS NULL AND lost_at IS NULL AND id <> $1`,
    [self],
  );
  return rows;
}

/** The runs that a dead worker may have been at: first those with a call of its own in flight. */
export async function runsOfLostWorker(db: Queryable, workerId: string): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    `SELECT r.id FROM agent_runs r
     WHERE r.status IN ('queued', 'running', 'waiting', 'paused') AND r.workflow_started_at IS NOT NULL
     ORDER BY EXISTS (SELECT FROM tool_calls t WHERE t.agent_run_id = r.id AND t.claimed_by = $1 AND t.outcome IS NULL)
       DESC, r.status = 'running' DESC, r.id DESC
     LIMIT 5000`,
    [workerId],
  );
  return rows.map((row) => row.id);
}

export async function markWorkerLost(db: Queryable, id: string): Promise<void> {
  await db.query('UPDATE workers SET lost_at = now(), lease_until = now() WHERE id = $1 AND stopped_at IS NULL', [id]);
}

/** Rows of workers that are gone for this long. The last one to offer a tool stays, and says who it was. */
export async function removeDeadWorkers(db: Queryable, olderThanMs: number): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    `DELETE FROM workers w
     WHERE lease_until < now() - $1 * interval '1 millisecond'
       AND NOT EXISTS (SELECT FROM tool_definitions t WHERE t.worker_id = w.id)
     RETURNING id`,
    [olderThanMs],
  );
  return rows.map((row) => row.id);
}

/** Is any worker alive? Without one, a decision or message waits. */
export async function liveWorkers(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    'SELECT count(*) count FROM workers WHERE lease_until > now() AND stopped_at IS NULL AND lost_at IS NULL',
  );
  return rows[0]?.count ?? 0;
}

export async function offerTools(
  tx: PoolClient,
  workerId: string,
  tools: readonly { definition: ToolDefinition; hash: string }[],
): Promise<void> {
  await tx.query(
    `INSERT INTO tool_definitions (name, definition, hash, worker_id)
     SELECT name, definition, hash, $1 FROM unnest($2::text[], $3::json[], $4::text[]) AS t (name, definition, hash)
     ORDER BY name
     ON CONFLICT (name) DO UPDATE SET definition = EXCLUDED.definition, hash = EXCLUDED.hash,
       worker_id = EXCLUDED.worker_id, offered_at = now()`,
    [
      workerId,
      tools.map((t) => t.definition.name),
      tools.map((t) => JSON.stringify(t.definition)),
      tools.map((t) => t.hash),
    ],
  );
}

/** The tools that this worker has and does not offer; of others it had refused before nothing is said any more. */
export async function refuseTools(
  tx: PoolClient,
  workerId: string,
  tools: readonly { definition: ToolDefinition; hash: string; reason: string }[],
): Promise<void> {
  await tx.query('DELETE FROM refused_tools WHERE worker_id = $1 AND name <> ALL ($2::text[])', [
    workerId,
    tools.map((t) => t.definition.name),
  ]);
  await tx.query(
    `INSERT INTO refused_tools (worker_id, name, definition, hash, reason)
     SELECT $1, name, definition, hash, reason FROM unnest($2::text[], $3::json[], $4::text[], $5::text[])
       AS t (name, definition, hash, reason)
     ON CONFLICT (worker_id, name) DO UPDATE SET reason = EXCLUDED.reason`,
    [
      workerId,
      tools.map((t) => t.definition.name),
      tools.map((t) => JSON.stringify(t.definition)),
      tools.map((t) => t.hash),
      tools.map((t) => t.reason),
    ],
  );
}

export interface RefusedTool {
  definition: ToolDefinition;
  hash: string;
  reason: string;
  workerId: string;
  host: string;
}

/** What live workers have and do not offer. */
export async function listRefusedTools(db: Queryable): Promise<RefusedTool[]> {
  const { rows } = await db.query<RefusedTool>(
    `SELECT t.definition, t.hash, t.reason, t.worker_id "workerId", w.host
     FROM refused_tools t JOIN workers w ON w.id = t.worker_id
     WHERE w.lease_until > now() AND w.stopped_at IS NULL AND w.lost_at IS NULL ORDER BY t.name, w.id`,
  );
  return rows;
}

export interface OfferedTool {
  definition: ToolDefinition;
  hash: string;
  /** Is the worker that offered it last alive? */
  available: boolean;
}

export async function listOfferedTools(db: Queryable): Promise<OfferedTool[]> {
  const { rows } = await db.query<OfferedTool>(
    `SELECT t.definition, t.hash, w.lease_until > now() AND w.stopped_at IS NULL AND w.lost_at IS NULL available
     FROM tool_definitions t JOIN workers w ON w.id = t.worker_id ORDER BY t.name`,
  );
  return rows;
}

/** What an agent may name, and why not more. A tool whose last worker is gone and that a live one refuses is not offered. */
export async function listToolsForAgents(
  db: Queryable,
): Promise<{ offered: ToolDefinition[]; refused: RefusedTool[] }> {
  const refused = await listRefusedTools(db);
  const names = new Set(refused.map(({ definition }) => definition.name));
  const offered = await listOfferedTools(db);
  return {
    offered: offered
      .filter(({ definition, available }) => available || !names.has(definition.name))
      .map(({ definition }) => definition),
    refused,
  };
}
