// The rules of a tenant, which stand beside those of each of its agents.
import type { Actor } from '../contracts/events.js';
import type { TenantPolicy } from '../contracts/policy.js';
import type { Queryable } from './pool.js';

export interface TenantPolicyRow {
  policy: TenantPolicy;
  /** As it was sent. */
  source: string;
  /** Hash of the policy. */
  version: string;
  storedBy: Actor;
  storedAt: Date;
}

export async function findTenantPolicy(db: Queryable, tenantId: string): Promise<TenantPolicyRow | undefined> {
  const { rows } = await db.query<TenantPolicyRow>(
    `SELECT policy, source, version, stored_by "storedBy", stored_at "storedAt" FROM tenant_policies
     WHERE tenant_id = $1`,
    [tenantId],
  );
  return rows[0];
}

/** Of the tenant of a run: in the same round trip as the run itself. */
export async function tenantPolicyOfRun(db: Queryable, agentRunId: string): Promise<TenantPolicyRow | undefined> {
  const { rows } = await db.query<TenantPolicyRow>(
    `SELECT policy, source, version, stored_by "storedBy", stored_at "storedAt" FROM tenant_policies
     WHERE tenant_id = (SELECT tenant_id FROM agent_runs WHERE id = $1)`,
    [agentRunId],
  );
  return rows[0];
}

export async function putTenantPolicy(
  db: Queryable,
  row: Omit<TenantPolicyRow, 'storedAt'> & { tenantId: string },
): Promise<void> {
  await db.query(
    `INSERT INTO tenant_policies (tenant_id, policy, source, version, stored_by) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (tenant_id) DO UPDATE SET policy = EXCLUDED.policy, source = EXCLUDED.source,
       version = EXCLUDED.version, stored_by = EXCLUDED.stored_by, stored_at = now()`,
    [row.tenantId, JSON.stringify(row.policy), row.source, row.version, JSON.stringify(row.storedBy)],
  );
}

export async function deleteTenantPolicy(db: Queryable, tenantId: string): Promise<void> {
  await db.query('DELETE FROM tenant_policies WHERE tenant_id = $1', [tenantId]);
}
