// Everything that must hold before an agent is stored: the file, its tools, its rules.
import type { AgentDefinition } from '../../contracts/agent.js';
import type { ToolDefinition } from '../../contracts/tools.js';
import { type Policy, compilePolicy } from '../policy/compilePolicy.js';
import { pathOf } from './filePosition.js';
import { type AgentFileError, type ParseOptions, parseAgent } from './parseAgent.js';
import { type NotOffered, type ToolProblem, resolveTools } from './resolveTools.js';

export type CheckedAgent =
  | { ok: true; definition: AgentDefinition; version: string; tools: ToolDefinition[]; policy: Policy }
  | {
      ok: false;
      errors: AgentFileError[];
      /** Tools that no worker offers (yet): the file may be right and become valid when a worker starts. */
      missingTools: string[];
    };

export function checkAgent(
  text: string,
  offered: readonly ToolDefinition[],
  options: ParseOptions & { refused?: readonly NotOffered[] } = {},
): CheckedAgent {
  const parsed = parseAgent(text, options);
  if (!parsed.ok) return { ...parsed, missingTools: [] };
  const { definition, version, at } = parsed;
  const placed = (problems: readonly ToolProblem[]): AgentFileError[] =>
    problems.map(({ path, message }) => ({ path, ...at(pathOf(path)), message }));

  const resolved = resolveTools(definition, offered, options.refused);
  if (!resolved.ok) {
    const missingTools = resolved.errors.flatMap((e) => e.missing ?? []);
    return { ok: false, errors: placed(resolved.errors), missingTools };
  }
  const policy = compilePolicy(definition, resolved.tools);
  if (!policy.ok) return { ok: false, errors: placed(policy.errors), missingTools: [] };
  return { ok: true, definition, version, tools: resolved.tools, policy: policy.policy };
}
