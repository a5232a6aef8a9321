// Right before a call of an MCP tool: is its definition still one that was agreed to? If not, the call is not made.
import type { ToolCallInput } from '../contracts/agentRun.js';
import { systemActor } from '../contracts/events.js';
import type { McpDefinition } from '../contracts/mcp.js';
import type { ToolDefinition } from '../contracts/tools.js';
import { appendEvents } from '../db/events.js';
import { type ServerKey, keepDefinitions, knownDefinitions } from '../db/mcpTools.js';
import { withTransaction } from '../db/pool.js';
import { lockRun } from '../db/runs.js';
import { connectionHash, mcpHash } from '../harness/mcp/pinTools.js';
import type { ToolContext } from '../tools/execution.js';
import { McpUnreachable } from '../tools/mcp/connections.js';
import { useOf } from '../tools/mcp/executor.js';
import type { Deps } from './deps.js';

/** Why the call is not made, for the model; undefined when it may be. */
export async function withoutConsent(
  deps: Deps,
  input: ToolCallInput,
  { name, mcp }: ToolDefinition,
  context: ToolContext,
): Promise<string | undefined> {
  if (!mcp) return undefined;
  const { server } = mcp.connection;
  let now: McpDefinition | undefined;
  try {
    const listed = deps.redactor.json(await deps.tools.mcp.list(mcp.connection, useOf(context))).value;
    now = listed.find((definition) => definition.name === mcp.tool);
  } catch (err) {
    if (!(err instanceof McpUnreachable)) throw err;
    return `${err.message}. Nothing was executed. Do without ${name}, or try again later.`;
  }
  if (!now) return `The MCP server ${server} no longer has ${mcp.tool}. Nothing was executed. Do without it.`;
  const hash = mcpHash(now);
  if (hash === mcp.hash) return undefined;
  const definition = now;
  const agreed = await withTransaction(deps.pool, async (tx) => {
    const run = await lockRun(tx, input.agentRunId);
    const key: ServerKey = {
      tenantId: run.tenantId,
      agentName: run.agentName,
      server,
      connection: connectionHash(mcp.connection),
    };
    const known = await knownDefinitions(tx, key);
    if (known.some((k) => k.agreed && k.tool === mcp.tool && k.hash === hash)) return true;
    const seen = { definition, hash, status: 'held' as const, why: 'its definition has changed' };
    await keepDefinitions(tx, key, [seen], systemActor(deps.workerId));
    await appendEvents(tx, run, [
      {
        type: 'tools.changed',
        actor: systemActor(deps.workerId),
        step: input.step,
        toolCallId: input.toolCallId,
        data: { server, tool: name, pinnedHash: mcp.hash, foundHash: hash },
      },
    ]);
    return false;
  });
  if (agreed) return undefined;
  return (
    `The MCP server ${server} has changed what ${name} is since this run began, so the call was not made. ` +
    'A person has to agree to the new definition first. Do without it, or try again later.'
  );
}
