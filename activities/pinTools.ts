// Before its first step a run asks the MCP servers of its agent what they offer, once. What it gets stays for the run.
import { ApplicationFailure, Context } from '@temporalio/activity';
import { isClosed } from '../contracts/agentRun.js';
import { type NewEvent, systemActor } from '../contracts/events.js';
import type { McpDefinition, McpServer } from '../contracts/mcp.js';
import type { ToolDefinition } from '../contracts/tools.js';
import { findAgentVersion } from '../db/agents.js';
import { appendEvents } from '../db/events.js';
import { type ServerKey, areToolsPinned, keepDefinitions, knownDefinitions, setPinnedTools } from '../db/mcpTools.js';
import { withTransaction } from '../db/pool.js';
import { type RunRow, findRun, lockRun } from '../db/runs.js';
import { nearest } from '../harness/nearest.js';
import { type Pinned, connectionHash, connectionOf, pinTools as pin } from '../harness/mcp/pinTools.js';
import { argumentNames } from '../harness/policy/argumentNames.js';
import { compilePolicy } from '../harness/policy/compilePolicy.js';
import { McpUnreachable } from '../tools/mcp/connections.js';
import type { Deps } from './deps.js';
import { startHeartbeat } from './heartbeat.js';
import { secretOf } from './toolAttempt.js';

/** Throws McpServerUnreachable, which is tried again for a while, and McpToolsDoNotFit, which is not. */
export async function pinTools(deps: Deps, { agentRunId }: { agentRunId: string }): Promise<void> {
  const stopHeartbeat = startHeartbeat();
  try {
    const run = await findRun(deps.pool, agentRunId);
    if (!run || isClosed(run.status) || (await areToolsPinned(deps.pool, agentRunId))) return;
    const agent = await findAgentVersion(deps.pool, run.tenantId, run.agentName, run.agentVersion);
    if (!agent) throw new Error(`agent ${run.agentName}@${run.agentVersion} is not stored`);
    const { mcp = [] } = agent.definition;
    const { cancellationSignal: signal } = Context.current();
    const listed = await Promise.all(
      mcp.map(async (server) => ({ server, tools: await listOf(deps, run, server, signal) })),
    );
    const problems = await withTransaction(deps.pool, async (tx) => {
      const locked = await lockRun(tx, agentRunId);
      if (isClosed(locked.status)) return [];
      const own = locked.tools.filter((tool) => tool.source !== 'mcp');
      const taken = new Set(own.map((tool) => tool.name));
      const found: ToolDefinition[] = [];
      const events: NewEvent[] = [];
      for (const { server, tools } of listed) {
        const key = keyOf(run, server);
        const pinned = pin(server, tools, await knownDefinitions(tx, key), taken);
        await keepDefinitions(tx, key, seenIn(pinned), systemActor(deps.workerId));
        found.push(...pinned.tools);
        events.push(pinnedEvent(server, pinned, deps.workerId));
      }
      const all = [...own, ...found].toSorted((a, b) => (a.name < b.name ? -1 : 1));
      const wrong = problemsOf(agent.definition, all, listed);
      // Of a run that cannot go on the servers are asked again, once a person has mended that.
      if (wrong.length === 0 && !(await setPinnedTools(tx, agentRunId, all))) return [];
      await appendEvents(tx, locked, events);
      return wrong;
    });
    if (problems.length === 0) return;
    const message = `What the MCP servers offer does not fit the agent: ${problems.join('; ')}`;
    throw ApplicationFailure.create({ type: 'McpToolsDoNotFit', message, nonRetryable: true });
  } finally {
    stopHeartbeat();
  }
}

async function listOf(deps: Deps, run: RunRow, server: McpServer, signal: AbortSignal): Promise<McpDefinition[]> {
  try {
    const use = { runId: run.id, secrets: secretOf(deps), signal };
    // A server knows what it was given, and its words are shown to the model.
    return deps.redactor.json(await deps.tools.mcp.list(connectionOf(server), use)).value;
  } catch (err) {
    if (!(err instanceof McpUnreachable)) throw err;
    throw ApplicationFailure.create({ type: 'McpServerUnreachable', message: err.message, category: 'BENIGN' });
  }
}

export const keyOf = ({ tenantId, agentName }: RunRow, server: McpServer): ServerKey => ({
  tenantId,
  agentName,
  server: server.name,
  connection: connectionHash(connectionOf(server)),
});

const seenIn = ({ first, held }: Pinned) => [
  ...first.map((seen) => ({ ...seen, status: 'agreed' as const, why: 'the server was first asked' })),
  ...held.map((seen) => ({ ...seen, status: 'held' as const })),
];

const pinnedEvent = (server: McpServer, { tools, held }: Pinned, workerId: string): NewEvent => ({
  type: 'tools.pinned',
  actor: systemActor(workerId),
  data: {
    server: server.name,
    tools: tools.map(({ name, effect, mcp }) => ({ tool: name, effect, hash: mcp?.hash ?? '' })),
    ...(held.length === 0
      ? {}
      : { held: held.map(({ definition, hash, why }) => ({ tool: definition.name, hash, why })) }),
  },
});

/** What the agent file says of tools that are not there, or not as it says. */
function problemsOf(
  definition: Parameters<typeof compilePolicy>[0] & { mcp?: McpServer[] | undefined },
  tools: readonly ToolDefinition[],
  listed: readonly { server: McpServer; tools: McpDefinition[] }[],
): string[] {
  const controls = tools.flatMap((tool) => {
    const names = argumentNames(tool.input);
    return tool.source === 'mcp'
      ? tool.controls
          .filter((control) => !names.includes(control))
          .map((control) => `${tool.name} has no argument ${control}${nearest(control, names) || ''}`)
      : [];
  });
  const policy = compilePolicy(definition, tools);
  const rules = policy.ok ? [] : policy.errors.map(({ path, message }) => `${path}: ${message}`);
  const missing = listed.flatMap(({ server, tools: offered }) => {
    const names = offered.map((tool) => tool.name);
    return Object.keys(server.tools ?? {})
      .concat(server.only ?? [])
      .filter((name, i, all) => !names.includes(name) && all.indexOf(name) === i)
      .map((name) => `${server.name} has no tool ${name}${nearest(name, names) || `; it has ${names.join(', ')}`}`);
  });
  return [...missing, ...controls, ...rules];
}
