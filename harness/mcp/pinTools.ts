// From what an MCP server lists to the tools of a run. A definition that nobody has agreed to is not among them.
import type { AgentDefinition } from '../../contracts/agent.js';
import { durationMs } from '../../contracts/duration.js';
import {
  type McpConnection,
  type McpDefinition,
  type McpServer,
  type McpToolSettings,
  mcpToolName,
} from '../../contracts/mcp.js';
import { type ToolDefinition, type ToolEffect, toolDefaults } from '../../contracts/tools.js';
import { digestOf } from '../canonical.js';
import { argumentNames } from '../policy/argumentNames.js';
import { schemaProblem } from '../policy/compileSchema.js';

export const connectionOf = ({ name, command, env, url, headers }: McpServer): McpConnection => ({
  server: name,
  ...(command === undefined ? {} : { command }),
  ...(env === undefined ? {} : { env }),
  ...(url === undefined ? {} : { url }),
  ...(headers === undefined ? {} : { headers }),
});

/** Another program or address is another server: what was agreed to of the one says nothing of the other. */
export const connectionHash = (connection: McpConnection): string => digestOf(connection);
export const mcpHash = (definition: McpDefinition): string => digestOf(definition);

/** Tools that an agent file names before any server was asked, so that rules can name them. */
export const declaredMcpTools = ({ mcp = [] }: Pick<AgentDefinition, 'mcp'>): ToolDefinition[] =>
  mcp.flatMap((server) =>
    Object.keys(server.tools ?? {}).map((tool) => ({
      ...mcpTool(server, { name: tool, inputSchema: { type: 'object' } }, ''),
      description: 'Of an MCP server that was not asked yet.',
    })),
  );

export interface KnownDefinition {
  tool: string;
  hash: string;
  agreed: boolean;
}

export interface Held {
  definition: McpDefinition;
  hash: string;
  why: string;
}

export interface Pinned {
  tools: ToolDefinition[];
  held: Held[];
  /** Agreed to because the server was never asked before for this agent. */
  first: { definition: McpDefinition; hash: string }[];
}

/**
 * `known`: what was seen of this server before. Nothing: its first definitions are the ones that are agreed to.
 * `taken`: names of the agent's other tools, which no server may shadow.
 */
export function pinTools(
  server: McpServer,
  listed: readonly McpDefinition[],
  known: readonly KnownDefinition[],
  taken: ReadonlySet<string>,
): Pinned {
  const pinned: Pinned = { tools: [], held: [], first: [] };
  const names = new Map<string, number>();
  const offered = listed.filter(({ name }) => server.only?.includes(name) ?? true);
  for (const { name } of offered) {
    const shown = mcpToolName(server.name, name);
    names.set(shown, (names.get(shown) ?? 0) + 1);
  }
  for (const definition of offered) {
    const hash = mcpHash(definition);
    const name = mcpToolName(server.name, definition.name);
    const before = known.filter((k) => k.tool === definition.name);
    const why =
      unusable(definition, name) ??
      (taken.has(name) || (names.get(name) ?? 0) > 1 ? `another tool is called ${name} as well` : undefined) ??
      (known.length === 0 || before.some((k) => k.agreed && k.hash === hash)
        ? undefined
        : before.some((k) => k.agreed)
          ? 'its definition has changed'
          : 'it was added after the server was first asked');
    if (why !== undefined) {
      pinned.held.push({ definition, hash, why });
      continue;
    }
    if (known.length === 0) pinned.first.push({ definition, hash });
    pinned.tools.push(mcpTool(server, definition, hash));
  }
  return pinned;
}

function unusable({ inputSchema }: McpDefinition, name: string): string | undefined {
  if (name.length > 128) return `its name is too long: ${name.slice(0, 140)}`;
  if (inputSchema['type'] !== 'object') return 'its arguments are no object';
  const problem = schemaProblem(inputSchema);
  return problem && `its schema is none: ${problem.message}`;
}

function mcpTool(server: McpServer, definition: McpDefinition, hash: string): ToolDefinition {
  const settings: McpToolSettings = server.tools?.[definition.name] ?? {};
  const timeout = settings.timeout ?? server.timeout;
  const { inputSchema } = definition;
  const effect = effectOf(settings.effect, definition.annotations ?? {});
  return {
    name: mcpToolName(server.name, definition.name),
    description: shownDescription(definition),
    input: inputSchema,
    effect,
    labels: settings.labels ?? ['untrusted'],
    // Nobody has said which of them steer it, so all do.
    controls: settings.controls ?? (effect === 'read' ? [] : argumentNames(inputSchema)),
    external: settings.external ?? true,
    timeoutMs: timeout === undefined ? toolDefaults.timeoutMs : durationMs(timeout),
    maxAttempts: settings.attempts ?? toolDefaults.maxAttempts,
    source: 'mcp',
    mcp: {
      connection: connectionOf(server),
      tool: definition.name,
      hash,
      ...(settings.effect === undefined ? { undeclared: true } : {}),
    },
    ...(settings.unknown === undefined ? {} : { unknown: settings.unknown }),
  };
}

/** The server's own word only makes a tool stricter than the operator says. */
function effectOf(declared: ToolEffect | undefined, annotations: Record<string, unknown>): ToolEffect {
  if (declared === 'read' && annotations['readOnlyHint'] === false) return 'irreversible';
  if (declared === 'idempotent' && annotations['idempotentHint'] === false) return 'irreversible';
  return declared ?? 'irreversible';
}

const MAX_DESCRIPTION = 4000;
// Control characters, marks that nobody sees or that turn text around, and the tags block: words for models only.
const UNSEEN = /[\p{Cc}\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u{e0000}-\u{e007f}]/gu;

function shownDescription({ description, title }: McpDefinition): string {
  const text = (description ?? title ?? '').replaceAll(UNSEEN, (c) => (c === '\n' || c === '\t' ? c : ''));
  return text.trim().slice(0, MAX_DESCRIPTION).toWellFormed() || 'The server says nothing about it.';
}
