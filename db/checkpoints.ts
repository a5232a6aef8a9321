// Signed checkpoints and the heads that they sign. Append-only.
import type { Checkpoint, SignedHead } from '../contracts/audit.js';
import { exactTime } from './auditLog.js';
import type { PoolClient, Queryable } from './pool.js';

const OPEN = `status IN ('queued', 'running', 'waiting', 'paused')`;
/** A transaction may commit this long after the time that it wrote, and longer than any does. */
const ENDED_LATELY = `ended_at > now() - interval '10 minutes'`;
const UNSIGNED = `last_seq > 0 AND NOT EXISTS (
  SELECT 1 FROM checkpoint_heads h WHERE h.agent_run_id = r.id AND h.seq = r.last_seq)`;

/** Tenants of which a run ended lately and its head is not signed. */
export async function tenantsWithUnsignedEnds(db: Queryable): Promise<string[]> {
  const { rows } = await db.query<{ tenantId: string }>(
    `SELECT DISTINCT tenant_id "tenantId" FROM agent_runs r WHERE ${ENDED_LATELY} AND ${UNSIGNED}`,
  );
  return rows.map((row) => row.tenantId);
}

/** Tenants with any unsigned head: of runs that are open or ended lately, or of all runs. */
export async function tenantsWithUnsignedHeads(db: Queryable, { all }: { all: boolean }): Promise<string[]> {
  const { rows } = await db.query<{ tenantId: string }>(
    `SELECT DISTINCT tenant_id "tenantId" FROM agent_runs r WHERE ${which(all)} AND ${UNSIGNED}`,
  );
  return rows.map((row) => row.tenantId);
}

const which = (all: boolean): string => (all ? 'true' : `(${OPEN} OR ${ENDED_LATELY})`);

export async function unsignedHeads(
  db: Queryable,
  tenantId: string,
  { all, limit }: { all: boolean; limit: number },
): Promise<SignedHead[]> {
  const { rows } = await db.query<SignedHead>(
    `SELECT id "runId", last_seq seq, last_hash hash FROM agent_runs r
     WHERE tenant_id = $1 AND ${which(all)} AND ${UNSIGNED} ORDER BY id LIMIT $2`,
    [tenantId, limit],
  );
  return rows;
}

/** One checkpoint of a tenant is made at a time. */
export async function lockCheckpoints(tx: PoolClient, tenantId: string): Promise<void> {
  await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`checkpoints ${tenantId}`]);
}

export async function latestCheckpoint(
  db: Queryable,
  tenantId: string,
): Promise<{ number: number; hash: string; publicKey: string } | undefined> {
  const { rows } = await db.query<{ number: number; hash: string; publicKey: string }>(
    `SELECT number, hash, public_key "publicKey" FROM checkpoints WHERE tenant_id = $1 ORDER BY number DESC LIMIT 1`,
    [tenantId],
  );
  return rows[0];
}

export async function insertCheckpoint(tx: PoolClient, c: Checkpoint): Promise<void> {
  await tx.query(
    `INSERT INTO checkpoints (tenant_id, number, at, prev_hash, hash, public_key, signature)
     VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    [c.tenantId, c.number, c.at, c.prevHash, c.hash, c.publicKey, c.signature],
  );
  await tx.query(
    `INSERT INTO checkpoint_heads (agent_run_id, seq, hash, tenant_id, checkpoint)
     SELECT run_id, seq, hash, $1, $2 FROM unnest($3::text[], $4::int[], $5::text[]) AS h (run_id, seq, hash)`,
    [c.tenantId, c.number, c.heads.map((h) => h.runId), c.heads.map((h) => h.seq), c.heads.map((h) => h.hash)],
  );
}

/** In order, those numbered above `after`, at most `limit`. */
export async function readCheckpoints(
  db: Queryable,
  tenantId: string,
  after: number,
  limit: number,
): Promise<Checkpoint[]> {
  const { rows } = await db.query<Checkpoint>(
    `SELECT tenant_id "tenantId", number, ${exactTime('at')} AS "at", prev_hash "prevHash", hash, public_key "publicKey",
       signature, (SELECT coalesce(json_agg(json_build_object('runId', h.agent_run_id, 'seq', h.seq, 'hash', h.hash)
         ORDER BY h.agent_run_id COLLATE "C", h.seq), '[]')
         FROM checkpoint_heads h WHERE h.tenant_id = c.tenant_id AND h.checkpoint = c.number) heads
     FROM checkpoints c WHERE tenant_id = $1 AND number > $2 ORDER BY number LIMIT $3`,
    [tenantId, after, limit],
  );
  return rows.map(({ tenantId: tenant, number, at, heads, prevHash, hash, publicKey, signature }) => ({
    tenantId: tenant,
    number,
    at,
    heads,
    prevHash,
    hash,
    publicKey,
    signature,
  }));
}
