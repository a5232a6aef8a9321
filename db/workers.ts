// Worker processes with their leases, and the tools they offer.
import type { ToolDefinition } from '../contracts/tools.js';
import type { PoolClient, Queryable } from './pool.js';

/** How long a worker counts as alive after it last said so, in milliseconds. Renewed at a third of it. */
export const WORKER_LEASE_MS = 15_000;

export interface WorkerIdentity {
  id: string;
  name: string;
  host: string;
  pid: number;
  queues: string[];
  codeVersion: string;
}

export async function registerWorker(db: Queryable, w: WorkerIdentity): Promise<void> {
  await db.query(
    `INSERT INTO workers (id, name, host, pid, queues, code_version, lease_until)
     VALUES ($1, $2, $3, $4, $5, $6, now() + $7 * interval '1 millisecond')`,
    [w.id, w.name, w.host, w.pid, w.queues, w.codeVersion, WORKER_LEASE_MS],
  );
}

export async function renewWorkerLease(db: Queryable, id: string): Promise<void> {
  await db.query(`UPDATE workers SET lease_until = now() + $2 * interval '1 millisecond' WHERE id = $1`, [
    id,
    WORKER_LEASE_MS,
  ]);
}

export async function markWorkerStopped(db: Queryable, id: string): Promise<void> {
  await db.query('UPDATE workers SET stopped_at = now(), lease_until = now() WHERE id = $1', [id]);
}

/** Is any worker alive? Without one, a decision or message waits. */
export async function liveWorkers(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    'SELECT count(*) count FROM workers WHERE lease_until > now() AND stopped_at IS NULL',
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

export interface OfferedTool {
  definition: ToolDefinition;
  hash: string;
  /** Is the worker that offered it last alive? */
  available: boolean;
}

export async function listOfferedTools(db: Queryable): Promise<OfferedTool[]> {
  const { rows } = await db.query<OfferedTool>(
    `SELECT t.definition, t.hash, w.lease_until > now() AND w.stopped_at IS NULL available
     FROM tool_definitions t JOIN workers w ON w.id = t.worker_id ORDER BY t.name`,
  );
  return rows;
}
