// Rules that judge a tool call: compiled and type-checked once, against each tool's own argument schema.
// Any deny refuses; else any ask asks; else the call runs. A rule that cannot be evaluated counts for caution.
import type { AgentDefinition, ApproveRule } from '../../contracts/agent.js';
import type { ToolDefinition, ToolVerdict } from '../../contracts/tools.js';
import { membersOf } from '../agents/resolveTools.js';
import { nearest } from '../nearest.js';
import { type Condition, type Environments, compileConditions } from './conditions.js';
import { oneLine } from './summary.js';

/** What a condition may look at beside the call itself. */
export interface PolicyFacts {
  agent: string;
  tenant: string;
  now: Date;
  run: { steps: number; toolCalls: number; costUsd: number; metadata: Record<string, string> };
}

export interface Verdict {
  verdict: ToolVerdict;
  rule: string;
  reason: string;
}

export interface Policy {
  judge(tool: ToolDefinition, args: unknown, facts: PolicyFacts): Verdict;
}

export interface PolicyError {
  /** Where in the agent file, such as `approve[0].when`. */
  path: string;
  message: string;
}

interface Rule {
  id: string;
  effect: 'ask' | 'deny';
  reason: string;
  /** Undefined: the rule is not about this tool. */
  conditionFor(tool: ToolDefinition): Condition | 'always' | undefined;
}

export function compilePolicy(
  definition: AgentDefinition,
  tools: readonly ToolDefinition[],
): { ok: true; policy: Policy } | { ok: false; errors: PolicyError[] } {
  const errors: PolicyError[] = [];
  const environments: Environments = new Map();
  const rules = definition.approve.map((entry, i) => compileRule(entry, `approve[${i}]`, tools, environments, errors));
  return errors.length > 0
    ? { ok: false, errors }
    : { ok: true, policy: { judge: (...call) => judge(rules, ...call) } };
}

function judge(rules: readonly Rule[], tool: ToolDefinition, args: unknown, facts: PolicyFacts): Verdict {
  if (tool.waits === 'person') return { verdict: 'ask', rule: 'ask_person', reason: 'the model asks a person' };
  const context = { tool: tool.name, effect: tool.effect, external: tool.external, arguments: args, ...facts };
  let asks: Verdict | undefined;
  for (const rule of rules) {
    const condition = rule.conditionFor(tool);
    if (condition === undefined || !applies(condition, context)) continue;
    const verdict: Verdict = { verdict: rule.effect === 'deny' ? 'reject' : 'ask', rule: rule.id, reason: rule.reason };
    if (verdict.verdict === 'reject') return verdict;
    asks ??= verdict;
  }
  return asks ?? { verdict: 'execute', rule: 'default', reason: 'no rule asks' };
}

function applies(condition: Condition | 'always', context: Record<string, unknown>): boolean {
  if (condition === 'always') return true;
  try {
    return condition(context) !== false;
  } catch {
    return true; // an absent optional argument, for example: better ask once too often
  }
}

function compileRule(
  entry: ApproveRule,
  path: string,
  tools: readonly ToolDefinition[],
  environments: Environments,
  errors: PolicyError[],
): Rule {
  const named = entry.tool === undefined ? tools : tools.filter((t) => membersOf(entry.tool ?? '').includes(t.name));
  const subjects = named.filter((t) => (entry.effect ?? t.effect) === t.effect && t.waits !== 'person');
  if (entry.tool !== undefined && named.length === 0) {
    const names = tools.map((t) => t.name);
    const known = nearest(entry.tool, names) || (names.length === 0 ? '; it has none' : `; it has ${names.join(', ')}`);
    errors.push({ path: `${path}.tool`, message: `the agent has no tool ${entry.tool}${known}` });
  } else if (entry.tool !== undefined && entry.effect !== undefined && subjects.length === 0) {
    const effects = [...new Set(named.map((t) => t.effect))].join(', ');
    const message = `${entry.tool} is ${effects}, so this rule never applies; remove effect, or write ${effects}`;
    errors.push({ path: `${path}.effect`, message });
  }
  const conditions = new Map<string, Condition | 'always'>(subjects.map((tool) => [tool.name, 'always']));
  if (entry.when !== undefined) {
    const compiled = compileConditions(entry.when, subjects, environments);
    if (compiled.ok) compiled.of.forEach((condition, name) => conditions.set(name, condition));
    else errors.push({ path: `${path}.when`, message: compiled.message });
  }
  return {
    id: path,
    effect: 'ask',
    reason: oneLine(entry.reason ?? describe(entry)),
    conditionFor: (tool) => conditions.get(tool.name),
  };
}

function describe(entry: ApproveRule): string {
  const what = [
    entry.tool === undefined ? undefined : `tool ${entry.tool}`,
    entry.effect === undefined ? undefined : `effect ${entry.effect}`,
    entry.when === undefined ? undefined : `when ${entry.when}`,
  ];
  return `approval is asked for ${what.filter(Boolean).join(', ')}`;
}
