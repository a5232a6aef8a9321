// Rules that judge a tool call: compiled and type-checked once, against each tool's own argument schema.
// Any deny refuses; else any ask asks; else the call runs. A rule that cannot be evaluated counts for caution.
import { Environment } from '@marcbachmann/cel-js';
import type { AgentDefinition, ApproveRule } from '../../contracts/agent.js';
import type { ToolDefinition, ToolVerdict } from '../../contracts/tools.js';
import { nearest } from '../nearest.js';
import { celTypeOf } from './celTypes.js';

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

type Condition = (context: Record<string, unknown>) => unknown;

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
  const rules = definition.approve.map((entry, i) => compileRule(entry, `approve[${i}]`, tools, errors));
  return errors.length > 0
    ? { ok: false, errors }
    : { ok: true, policy: { judge: (...call) => judge(rules, ...call) } };
}

function judge(rules: readonly Rule[], tool: ToolDefinition, args: unknown, facts: PolicyFacts): Verdict {
  if (tool.waits === 'person') return { verdict: 'ask', rule: tool.name, reason: 'the model asks a person' };
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

function compileRule(entry: ApproveRule, path: string, tools: readonly ToolDefinition[], errors: PolicyError[]): Rule {
  if (entry.tool !== undefined && !tools.some((t) => t.name === entry.tool)) {
    const names = tools.map((t) => t.name);
    errors.push({ path: `${path}.tool`, message: `the agent has no tool ${entry.tool}${nearest(entry.tool, names)}` });
  }
  const subjects = tools.filter(
    (t) => (entry.tool ?? t.name) === t.name && (entry.effect ?? t.effect) === t.effect && t.waits !== 'person',
  );
  const conditions = new Map<string, Condition | 'always'>();
  for (const tool of subjects) {
    const compiled = entry.when === undefined ? 'always' : compileCondition(entry.when, tool);
    if (typeof compiled === 'string' || typeof compiled === 'function') conditions.set(tool.name, compiled);
    else if (!errors.some((e) => e.path === `${path}.when`)) errors.push({ path: `${path}.when`, ...compiled });
  }
  return {
    id: path,
    effect: 'ask',
    reason: entry.reason ?? describe(entry),
    conditionFor: (tool) => conditions.get(tool.name),
  };
}

function compileCondition(when: string, tool: ToolDefinition): Condition | { message: string } {
  const env = new Environment()
    .registerVariable('tool', 'string')
    .registerVariable('effect', 'string')
    .registerVariable('external', 'bool')
    .registerVariable('arguments', { schema: celTypeOf(tool.input) as Record<string, string> })
    .registerVariable('agent', 'string')
    .registerVariable('tenant', 'string')
    .registerVariable('now', 'google.protobuf.Timestamp')
    .registerVariable('run', {
      schema: { steps: 'double', toolCalls: 'double', costUsd: 'double', metadata: 'map<string, string>' },
    });
  const checked = env.check(when);
  if (!checked.valid) return { message: explain(checked.error as CelError, when, tool) };
  if (checked.type !== 'bool' && checked.type !== 'dyn') {
    return { message: `the condition must be true or false, but it is of type ${checked.type}` };
  }
  return env.parse(when);
}

interface CelError {
  code: string;
  summary?: string;
  message: string;
  range?: { start: number; end: number };
}

function explain(err: CelError, when: string, tool: ToolDefinition): string {
  const summary = err.summary ?? err.message.split('\n')[0] ?? err.message;
  const column = err.range ? ` (at character ${err.range.start + 1})` : '';
  if (err.code === 'no_such_key' && err.range) {
    const name = when.slice(err.range.start, err.range.end);
    const known = Object.keys((tool.input['properties'] as object | undefined) ?? {});
    return `${tool.name} has no argument ${name}${nearest(name, known)}; it has ${known.join(', ') || 'none'}${column}`;
  }
  const number = /double .* int|int .* double/.test(summary) ? '; JSON numbers are doubles: write 50.0 for 50' : '';
  return `${summary}${number}${column}, checked against the arguments of ${tool.name}`;
}

function describe(entry: ApproveRule): string {
  const what = [
    entry.tool === undefined ? undefined : `tool ${entry.tool}`,
    entry.effect === undefined ? undefined : `effect ${entry.effect}`,
    entry.when === undefined ? undefined : `when ${entry.when}`,
  ];
  return `approval is asked for ${what.filter(Boolean).join(', ')}`;
}
