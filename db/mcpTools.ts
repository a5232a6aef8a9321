// Definitions that MCP servers gave for an agent, and whether they may be used. A row is never changed but by consent.
import type { Actor } from '../contracts/events.js';
import type { McpDefinition, McpTool } from '../contracts/mcp.js';
import type { PoolClient, Queryable } from './pool.js';

export interface ServerKey {
  tenantId: string;
  agentName: string;
  server: string;
  /** Hash of how it is reached. */
  connection: string;
}

export type McpToolRow = Omit<McpTool, 'name' | 'seenAt' | 'decidedBy'> & { seenAt: Date; decidedBy: Actor | null };

const COLUMNS = `server, tool, hash, status, why, definition, seen_at "seenAt", decided_by "decidedBy"`;

export async function knownDefinitions(
  db: Queryable,
  key: ServerKey,
): Promise<{ tool: string; hash: string; agreed: boolean }[]> {
  const { rows } = await db.query<{ tool: string; hash: string; agreed: boolean }>(
    `SELECT tool, hash, status = 'agreed' agreed FROM mcp_tools
     WHERE tenant_id = $1 AND agent_name = $2 AND server = $3 AND connection = $4`,
    [key.tenantId, key.agentName, key.server, key.connection],
  );
  return rows;
}

export interface SeenDefinition {
  definition: McpDefinition;
  hash: string;
  status: 'agreed' | 'held';
  why: string;
}

/** What is known already stays as it is: a server cannot agree for a person by showing a definition again. */
export async function keepDefinitions(
  tx: PoolClient,
  key: ServerKey,
  seen: readonly SeenDefinition[],
  by: Actor,
): Promise<void> {
  if (seen.length === 0) return;
  await tx.query(
    `INSERT INTO mcp_tools (tenant_id, agent_name, server, connection, tool, hash, definition, status, why, decided_by)
     SELECT $1, $2, $3, $4, tool, hash, definition, status, why, CASE WHEN status = 'agreed' THEN $10::json END
     FROM unnest($5::text[], $6::text[], $7::json[], $8::text[], $9::text[]) AS s (tool, hash, definition, status, why)
     ON CONFLICT DO NOTHING`,
    [
      key.tenantId,
      key.agentName,
      key.server,
      key.connection,
      seen.map((s) => s.definition.name),
      seen.map((s) => s.hash),
      seen.map((s) => JSON.stringify(s.definition)),
      seen.map((s) => s.status),
      seen.map((s) => s.why),
      JSON.stringify(by),
    ],
  );
}

/** By server and tool, those that are held first, then the newest first. */
export async function listMcpTools(db: Queryable, tenantId: string, agentName: string): Promise<McpToolRow[]> {
  const { rows } = await db.query<McpToolRow>(
    `SELECT ${COLUMNS} FROM mcp_tools WHERE tenant_id = $1 AND agent_name = $2
     ORDER BY server, tool, status DESC, seen_at DESC, hash LIMIT 2000`,
    [tenantId, agentName],
  );
  return rows;
}

/** A person has looked at exactly this definition. Undefined: there is none with this hash. */
export async function agreeToDefinition(
  db: Queryable,
  agent: { tenantId: string; agentName: string },
  seen: { server: string; tool: string; hash: string },
  by: Actor,
): Promise<McpToolRow | undefined> {
  const { rows } = await db.query<McpToolRow>(
    `UPDATE mcp_tools SET status = 'agreed', why = CASE WHEN status = 'held' THEN 'a person agreed' ELSE why END,
       decided_by = CASE WHEN status = 'held' THEN $6::json ELSE decided_by END,
       decided_at = CASE WHEN status = 'held' THEN now() ELSE decided_at END
     WHERE tenant_id = $1 AND agent_name = $2 AND server = $3 AND tool = $4 AND hash = $5
     RETURNING ${COLUMNS}`,
    [agent.tenantId, agent.agentName, seen.server, seen.tool, seen.hash, JSON.stringify(by)],
  );
  return rows[0];
}

/** Sets a run's tools, once. False: it was done before. */
export async function setPinnedTools(tx: PoolClient, agentRunId: string, tools: readonly object[]): Promise<boolean> {
  const { rowCount } = await tx.query(
    'UPDATE agent_runs SET tools = $2, tools_pinned_at = now() WHERE id = $1 AND tools_pinned_at IS NULL',
    [agentRunId, JSON.stringify(tools)],
  );
  return rowCount === 1;
}

export async function areToolsPinned(db: Queryable, agentRunId: string): Promise<boolean> {
  const { rows } = await db.query<{ pinned: boolean }>(
    'SELECT tools_pinned_at IS NOT NULL pinned FROM agent_runs WHERE id = $1',
    [agentRunId],
  );
  return rows[0]?.pinned === true;
}
