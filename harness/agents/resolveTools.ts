// The tools of an agent: what it names among those offered, made stricter where it says so, and its own HTTP tools.
import type {
  AgentDefinition,
  AgentTool,
  ClientToolDeclaration,
  HttpRequestTool,
  HttpToolDeclaration,
} from '../../contracts/agent.js';
import { durationMs } from '../../contracts/duration.js';
import { type ToolDefinition, type ToolEffect, toolDefaults, toolEffect } from '../../contracts/tools.js';
import { nearest } from '../nearest.js';
import { declaredMcpTools } from '../mcp/pinTools.js';
import { argumentNames } from '../policy/argumentNames.js';
import { schemaProblem } from '../policy/compileSchema.js';
import { pathText } from './filePosition.js';
import { httpRequestToolOf } from './httpRequestTool.js';
import { sandboxTool } from './sandboxTool.js';

/** One name in an agent file for several tools. */
export const toolGroups: Readonly<Record<string, readonly string[]>> = {
  workspace: ['workspace_list', 'workspace_read', 'workspace_write', 'workspace_edit'],
};

/** The tools that a name stands for: those of a group, or the one. */
export const membersOf = (name: string): readonly string[] =>
  Object.entries(toolGroups).find(([group]) => group === name)?.[1] ?? [name];

const RESERVED = new Set([...Object.keys(toolGroups), ...Object.values(toolGroups).flat()]);

export interface ToolProblem {
  path: string;
  message: string;
  /** The tool is not offered by any worker (yet). */
  missing?: string;
}

export type ResolvedTools = { ok: true; tools: ToolDefinition[] } | { ok: false; errors: ToolProblem[] };

type Declared = HttpToolDeclaration | ClientToolDeclaration;
type ByName = Exclude<AgentTool, string | Declared | HttpRequestTool> | HttpRequestTool;

/** A tool that a worker has and does not offer. */
export interface NotOffered {
  definition: { name: string };
  host: string;
  reason: string;
}

export function resolveTools(
  definition: AgentDefinition,
  offered: readonly ToolDefinition[],
  refused: readonly NotOffered[] = [],
): ResolvedTools {
  const errors: ToolProblem[] = [];
  const tools: ToolDefinition[] = [];
  const known = new Map(offered.map((tool) => [tool.name, tool]));
  definition.tools.forEach((entry, i) => {
    const path = `tools[${i}]`;
    const resolved = isDeclared(entry)
      ? declaredTool(entry, path, known, errors)
      : namedTools(typeof entry === 'string' ? { name: entry } : entry, path, { known, refused }, errors);
    for (const tool of resolved) {
      if (tools.some((t) => t.name === tool.name))
        errors.push({ path, message: `${tool.name} is there twice; keep one` });
      else tools.push(tool);
    }
  });
  definition.mcp?.forEach(({ name }, i, servers) => {
    if (servers.findIndex((server) => server.name === name) < i)
      errors.push({ path: `mcp[${i}].name`, message: `${name} is there twice; each server has a name of its own` });
  });
  tools.push(...declaredMcpTools(definition).filter(({ name }) => !tools.some((tool) => tool.name === name)));
  if (errors.length > 0) return { ok: false, errors };
  return { ok: true, tools: tools.toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
}

const isDeclared = (entry: AgentTool): entry is Declared =>
  typeof entry !== 'string' && ('http' in entry || 'client' in entry);

function namedTools(
  entry: ByName,
  path: string,
  { known, refused }: { known: ReadonlyMap<string, ToolDefinition>; refused: readonly NotOffered[] },
  errors: ToolProblem[],
): ToolDefinition[] {
  return membersOf(entry.name).flatMap((name) => {
    const tool = known.get(name);
    if (tool && name === 'http_request') return [httpRequest(tool, entry, path, errors)];
    if (tool && (tool.shell ?? tool.javascript)) return [limited(tool, entry, path, errors)];
    if (tool) return [stricter(tool, entry, path, errors)];
    const why = refused.find(({ definition }) => definition.name === name);
    const names = [...known.keys(), ...Object.keys(toolGroups)];
    const message = why
      ? `no worker offers ${name}: on ${why.host}, ${why.reason}`
      : `no worker offers it yet: ${name}${nearest(name, names) || ';'} start a worker whose LONGHAUL_TOOLS has it, or declare it here with http. Offered: ${names.toSorted().join(', ')}`;
    errors.push({ path, missing: name, message });
    return [];
  });
}

/** What it may use is the agent's own to say; how careful it is may only grow, as with every tool. */
function limited(base: ToolDefinition, entry: ByName, path: string, errors: ToolProblem[]): ToolDefinition {
  const tool = sandboxTool(base, entry, (field, message) => errors.push({ path: `${path}.${field}`, message }));
  const { timeout: _, ...careful } = entry;
  return stricter(tool, careful, path, errors);
}

function httpRequest(base: ToolDefinition, entry: ByName, path: string, errors: ToolProblem[]): ToolDefinition {
  const report = (field: string, message: string) => errors.push({ path: `${path}.${field}`, message });
  if ('allow' in entry) {
    checkControls(entry.name, base.input, entry.controls, path, errors);
    return httpRequestToolOf(entry, base, report);
  }
  report(
    'allow',
    'http_request needs the addresses that it may ask, such as allow: [{url: "https://api.example.com/"}]',
  );
  return base;
}

const EFFECTS: readonly ToolEffect[] = toolEffect.options; // from the mildest to the strictest

/** An agent may only be more careful with a tool than the tool is itself. */
function stricter(tool: ToolDefinition, entry: ByName, path: string, errors: ToolProblem[]): ToolDefinition {
  const loose = (field: string, message: string) => errors.push({ path: `${path}.${field}`, message });
  if (entry.effect !== undefined && EFFECTS.indexOf(entry.effect) < EFFECTS.indexOf(tool.effect)) {
    loose('effect', `${tool.name} is ${tool.effect}; an agent may make that stricter, not ${entry.effect}`);
  }
  if (entry.labels?.includes('trusted') && !tool.labels.includes('trusted')) {
    loose('labels', `${tool.name} is not trusted; an agent cannot make it so`);
  }
  const dropped = tool.labels.find((label) => label !== 'trusted' && entry.labels && !entry.labels.includes(label));
  if (dropped !== undefined) loose('labels', `${tool.name} is ${dropped}; keep that label`);
  const raised = Object.entries(entry.fields ?? {}).find(
    ([field, labels]) => labels.includes('trusted') && !(tool.fields?.[field] ?? tool.labels).includes('trusted'),
  );
  if (raised) loose(`fields.${raised[0]}`, `${tool.name} does not trust it; an agent cannot make it so`);
  if (entry.external === false && tool.external)
    loose('external', `${tool.name} is external; an agent cannot undo that`);
  const timeoutMs = entry.timeout === undefined ? tool.timeoutMs : durationMs(entry.timeout);
  if (timeoutMs > tool.timeoutMs)
    loose('timeout', `${tool.name} takes at most ${tool.timeoutMs} ms; give the same or less`);
  const maxAttempts = entry.attempts ?? tool.maxAttempts;
  if (maxAttempts > tool.maxAttempts)
    loose('attempts', `${tool.name} takes at most ${tool.maxAttempts}; give the same or fewer`);
  checkControls(tool.name, tool.input, entry.controls, path, errors);
  return {
    ...tool,
    effect: entry.effect ?? tool.effect,
    labels: entry.labels ?? tool.labels,
    ...(tool.fields === undefined && entry.fields === undefined ? {} : { fields: { ...tool.fields, ...entry.fields } }),
    controls: [...new Set([...tool.controls, ...(entry.controls ?? [])])],
    external: entry.external ?? tool.external,
    timeoutMs,
    maxAttempts,
    ...(entry.queue === undefined ? {} : { queue: entry.queue }),
    ...(entry.unknown === undefined ? {} : { unknown: entry.unknown }),
    ...(entry.rate === undefined ? {} : { rate: entry.rate }),
  };
}

/** Declared whole in the agent file: posted to over HTTP, or executed by the caller. */
function declaredTool(
  entry: Declared,
  path: string,
  known: ReadonlyMap<string, ToolDefinition>,
  errors: ToolProblem[],
): ToolDefinition[] {
  if (known.has(entry.name) || RESERVED.has(entry.name)) {
    errors.push({ path: `${path}.name`, message: `${entry.name} is the name of an offered tool; choose another` });
  }
  if (entry.input['type'] !== 'object') {
    errors.push({ path: `${path}.input`, message: 'the arguments are an object: give `type: object`' });
  }
  const problem = schemaProblem(entry.input);
  if (problem) {
    const inner = pathText(['input', ...problem.path]);
    errors.push({ path: `${path}.${inner}`, message: problem.message });
  }
  checkControls(entry.name, entry.input, entry.controls, path, errors);
  if ('http' in entry) checkReconcile(entry, path, errors);
  else checkClient(entry, path, errors);
  return [
    {
      name: entry.name,
      description: entry.description,
      input: entry.input,
      effect: entry.effect ?? 'irreversible',
      labels: entry.labels ?? ['untrusted'],
      ...(entry.fields === undefined ? {} : { fields: entry.fields }),
      controls: entry.controls ?? [],
      external: entry.external ?? true,
      ...(entry.rate === undefined ? {} : { rate: entry.rate }),
      ...('http' in entry ? overHttp(entry) : byClient(entry)),
    },
  ];
}

const overHttp = (entry: HttpToolDeclaration) => ({
  timeoutMs: entry.timeout === undefined ? toolDefaults.timeoutMs : durationMs(entry.timeout),
  maxAttempts: entry.attempts ?? toolDefaults.maxAttempts,
  source: 'http' as const,
  http: entry.http,
  ...(entry.queue === undefined ? {} : { queue: entry.queue }),
  ...(entry.unknown === undefined ? {} : { unknown: entry.unknown }),
});

const byClient = (entry: ClientToolDeclaration) => ({
  timeoutMs: entry.timeout === undefined ? toolDefaults.clientTimeoutMs : durationMs(entry.timeout),
  maxAttempts: 1,
  source: 'client' as const,
});

function checkClient({ name, effect }: ClientToolDeclaration, path: string, errors: ToolProblem[]): void {
  if (effect !== 'reconcilable') return;
  const message = `${name} is executed by the caller, whom nobody asks what became of a call; say irreversible`;
  errors.push({ path: `${path}.effect`, message });
}

/** What became of a call can be asked only where the service answers that. */
function checkReconcile({ name, effect, http }: HttpToolDeclaration, path: string, errors: ToolProblem[]): void {
  if (effect === 'reconcilable' && http.reconcileUrl === undefined) {
    const message =
      `${name} is reconcilable, so give http.reconcileUrl, where the service says what became of a key; ` +
      'a service that cannot say so is irreversible, or idempotent if it takes a key twice';
    errors.push({ path: `${path}.effect`, message });
  }
  for (const field of ['reconcileUrl', 'reconcileMethod'] as const) {
    if (http[field] === undefined || (effect === 'reconcilable' && http.reconcileUrl !== undefined)) continue;
    const message =
      effect === 'reconcilable'
        ? `${field} is of use only with reconcileUrl`
        : `${field} is for effect reconcilable; ${name} is ${effect ?? 'irreversible'}`;
    errors.push({ path: `${path}.http.${field}`, message });
  }
}

function checkControls(
  tool: string,
  input: Record<string, unknown>,
  controls: readonly string[] | undefined,
  path: string,
  errors: ToolProblem[],
): void {
  const properties = argumentNames(input);
  for (const [i, control] of (controls ?? []).entries()) {
    if (!properties.includes(control)) {
      errors.push({
        path: `${path}.controls[${i}]`,
        message: `${control} is no argument of ${tool}${nearest(control, properties) || ';'} its arguments are ${properties.join(', ') || 'none'}`,
      });
    }
  }
}
