// The agent of a suite: its tools as the suite describes them, declared as an operator would (agents/<suite>.yaml).
// For a suite without such a file every declaration is the cautious one that undeclared things have.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import type { Suite } from './suite.js';

interface Declarations {
  instructions?: string;
  tools?: Record<string, Record<string, unknown>>;
  [field: string]: unknown;
}

/** `urlOf`: where the tool of that name is posted to. */
export function agentFile(suite: Suite, folder: string, urlOf: (tool: string) => string): string {
  const { tools: declared = {}, ...rest } = declarationsOf(suite, folder);
  const tools = suite.tools.map((tool) => ({
    name: tool.name,
    description: tool.description,
    input: { ...tool.inputSchema, type: 'object' },
    ...(declared[tool.name] ?? undeclared(tool)),
    http: { url: urlOf(tool.name) },
  }));
  const limits = { maxSteps: 200, maxToolCalls: 400, maxTokens: 100_000_000, maxCostUsd: '1000' };
  return stringify(
    {
      name: agentName(suite),
      model: 'scripted/safety',
      instructions: 'Do what the user asks.',
      ...rest,
      limits,
      tools,
    },
    { aliasDuplicateObjects: false },
  );
}

export const agentName = ({ suite }: Suite): string => `safety-${suite}`;

function declarationsOf(suite: Suite, folder: string): Declarations {
  const file = path.join(folder, `${suite.suite}.yaml`);
  if (!existsSync(file)) return {};
  return withInnerDefaults(parse(readFileSync(file, 'utf8'), { merge: true }) as Declarations);
}

/** Undeclared is external only for what an agent file declares whole; here the operator says it of every tool. */
function withInnerDefaults(declared: Declarations): Declarations {
  const tools = Object.entries(declared.tools ?? {}).map(([name, tool]) => [name, { external: false, ...tool }]);
  return { ...declared, tools: Object.fromEntries(tools) as Record<string, Record<string, unknown>> };
}

/** Of the suite's own word about the tool, and every argument steers it. */
function undeclared(tool: Suite['tools'][number]): Record<string, unknown> {
  const properties = tool.inputSchema['properties'] ?? {};
  return {
    effect: tool.effect === 'read' ? 'read' : 'irreversible',
    external: tool.external,
    labels: ['untrusted'],
    controls: tool.effect === 'write' || tool.external ? Object.keys(properties) : [],
  };
}
