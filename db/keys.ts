// API keys. Only the SHA-256 of a key is stored.
import type { Queryable } from './pool.js';

export type Role = 'viewer' | 'operator' | 'approver' | 'admin';

export interface KeyRow {
  id: string;
  tenantId: string;
  name: string;
  roles: Role[];
  createdAt: Date;
  revokedAt: Date | null;
}

const COLUMNS = 'id, tenant_id "tenantId", name, roles, created_at "createdAt", revoked_at "revokedAt"';

/** Inserts a key unless its hash is known (the admin key at each start). */
export async function insertKey(
  db: Queryable,
  key: { id: string; tenantId: string; name: string; roles: Role[]; keyHash: string },
): Promise<KeyRow | undefined> {
  const { rows } = await db.query<KeyRow>(
    `INSERT INTO api_keys (id, tenant_id, name, roles, key_hash) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (key_hash) DO NOTHING RETURNING ${COLUMNS}`,
    [key.id, key.tenantId, key.name, key.roles, key.keyHash],
  );
  return rows[0];
}

export async function findActiveKey(db: Queryable, keyHash: string): Promise<KeyRow | undefined> {
  const { rows } = await db.query<KeyRow>(
    `SELECT ${COLUMNS} FROM api_keys WHERE key_hash = $1 AND revoked_at IS NULL`,
    [keyHash],
  );
  return rows[0];
}

export async function listKeys(db: Queryable, tenantId: string): Promise<KeyRow[]> {
  const { rows } = await db.query<KeyRow>(
    `SELECT ${COLUMNS} FROM api_keys WHERE tenant_id = $1 ORDER BY created_at, id`,
    [tenantId],
  );
  return rows;
}

export async function revokeKey(db: Queryable, tenantId: string, id: string): Promise<KeyRow | undefined> {
  const { rows } = await db.query<KeyRow>(
    `UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE tenant_id = $1 AND id = $2
     RETURNING ${COLUMNS}`,
    [tenantId, id],
  );
  return rows[0];
}
