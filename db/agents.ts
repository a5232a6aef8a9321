// Agents and their immutable versions.
import type { AgentDefinition } from '../contracts/agent.js';
import type { PoolClient, Queryable } from './pool.js';

export interface AgentVersionRow {
  name: string;
  version: string;
  definition: AgentDefinition;
  source: string;
  createdAt: Date;
  /** Is this the version that a run of the bare name gets? */
  current: boolean;
}

const COLUMNS = `v.name, v.version, v.definition, v.source, v.created_at "createdAt",
  a.current_version = v.version "current"`;
const FROM = 'agent_versions v JOIN agents a USING (tenant_id, name)';

export interface PutAgentVersion {
  tenantId: string;
  name: string;
  version: string;
  definition: AgentDefinition;
  source: string;
}

/** Stores a version if it is new and makes it current. */
export async function putAgentVersion(
  tx: PoolClient,
  agent: PutAgentVersion,
): Promise<{ newVersion: boolean; becameCurrent: boolean }> {
  const stored = await tx.query(
    `INSERT INTO agent_versions (tenant_id, name, version, definition, source) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT DO NOTHING`,
    [agent.tenantId, agent.name, agent.version, JSON.stringify(agent.definition), agent.source],
  );
  const current = await tx.query(
    `INSERT INTO agents (tenant_id, name, current_version) VALUES ($1, $2, $3)
     ON CONFLICT (tenant_id, name) DO UPDATE SET current_version = EXCLUDED.current_version, updated_at = now()
       WHERE agents.current_version <> EXCLUDED.current_version`,
    [agent.tenantId, agent.name, agent.version],
  );
  return { newVersion: stored.rowCount === 1, becameCurrent: current.rowCount === 1 };
}

/** A version by its hash or a prefix of it (8 characters or more); the current one without a version. */
export async function findAgentVersion(
  db: Queryable,
  tenantId: string,
  name: string,
  version?: string,
): Promise<AgentVersionRow | undefined> {
  const { rows } = await db.query<AgentVersionRow>(
    `SELECT ${COLUMNS} FROM ${FROM} WHERE v.tenant_id = $1 AND v.name = $2
       AND CASE WHEN $3::text IS NULL THEN v.version = a.current_version ELSE v.version LIKE $3 || '%' END
     ORDER BY v.created_at DESC LIMIT 1`,
    [tenantId, name, version ?? null],
  );
  return rows[0];
}

/** Current versions, by name. */
export async function listAgents(
  db: Queryable,
  tenantId: string,
  afterName: string,
  limit: number,
): Promise<AgentVersionRow[]> {
  const { rows } = await db.query<AgentVersionRow>(
    `SELECT ${COLUMNS} FROM ${FROM} WHERE v.tenant_id = $1 AND v.version = a.current_version AND v.name > $2
     ORDER BY v.name LIMIT $3`,
    [tenantId, afterName, limit],
  );
  return rows;
}

/** All versions of an agent, newest first. */
export async function listAgentVersions(
  db: Queryable,
  tenantId: string,
  name: string,
  limit: number,
): Promise<AgentVersionRow[]> {
  const { rows } = await db.query<AgentVersionRow>(
    `SELECT ${COLUMNS} FROM ${FROM} WHERE v.tenant_id = $1 AND v.name = $2
     ORDER BY v.created_at DESC, v.version LIMIT $3`,
    [tenantId, name, limit],
  );
  return rows;
}
