// One rule, type-checked against the argument schema of every tool it is about.
import type { RuleEffect } from '../../contracts/policy.js';
import type { ToolDefinition } from '../../contracts/tools.js';
import { membersOf } from '../agents/resolveTools.js';
import { effectsOf } from '../callEffect.js';
import { nearest } from '../nearest.js';
import { type Condition, type Environments, compileConditions } from './conditions.js';
import type { RuleText } from './ruleTexts.js';
import { oneLine } from './summary.js';

export interface PolicyError {
  /** Where in the file, such as `approve[0].when`. */
  path: string;
  message: string;
}

export interface Rule {
  id: string;
  effect: RuleEffect;
  reason: string;
  /** Somebody wrote it who named the tools that it is about. */
  names: boolean;
  /** Undefined: the rule is not about this tool. */
  conditionFor(tool: ToolDefinition): Condition | 'always' | undefined;
}

export function compileRule(
  text: RuleText,
  tools: readonly ToolDefinition[],
  environments: Environments,
  errors: PolicyError[],
): Rule {
  const named = tools.filter((tool) => isAbout(text, tool));
  const { toolEffect } = text;
  const subjects = named.filter(
    (t) => (toolEffect === undefined || effectsOf(t).includes(toolEffect)) && t.waits !== 'person',
  );
  if (text.path !== undefined) checkNames(text, text.path, tools, errors);
  if (text.path !== undefined && named.length > 0) checkEffect(text, text.path, named, subjects, errors);
  const conditions = new Map<string, Condition | 'always'>(subjects.map((tool) => [tool.name, 'always']));
  if (text.when !== undefined) {
    const compiled = compileConditions(text.when, subjects, environments, text.path === undefined);
    if (compiled.ok) compiled.of.forEach((condition, name) => conditions.set(name, condition));
    else if (text.path !== undefined) errors.push({ path: `${text.path}.when`, message: compiled.message });
    // A tenant's rule that does not fit a tool of this agent cannot be evaluated, which counts for caution.
    else subjects.forEach((tool) => conditions.set(tool.name, () => unfit(compiled.message)));
  }
  return {
    id: text.id,
    effect: text.effect,
    reason: oneLine(text.reason),
    names: text.builtIn !== true && text.tools !== undefined,
    // By the effect of this very call.
    conditionFor: (tool) => ((toolEffect ?? tool.effect) === tool.effect ? conditions.get(tool.name) : undefined),
  };
}

function unfit(message: string): never {
  throw new Error(message);
}

const isAbout = ({ tools }: RuleText, tool: ToolDefinition): boolean =>
  tools === undefined || tools.some((pattern) => matches(pattern, tool.name));

export const matches = (pattern: string, name: string): boolean =>
  pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : membersOf(pattern).includes(name);

/** A name that is no tool's is a mistake; a pattern may be about tools to come. */
function checkNames(text: RuleText, path: string, tools: readonly ToolDefinition[], errors: PolicyError[]): void {
  const names = tools.map((t) => t.name);
  for (const [i, pattern] of (text.tools ?? []).entries()) {
    if (pattern.endsWith('*') || names.some((name) => matches(pattern, name))) continue;
    const known = nearest(pattern, names) || (names.length === 0 ? '; it has none' : `; it has ${names.join(', ')}`);
    const field = /^(?:approve|allow)\[/.test(path) ? 'tool' : `tools[${i}]`;
    errors.push({ path: `${path}.${field}`, message: `the agent has no tool ${pattern}${known}` });
  }
}

function checkEffect(
  { tools, toolEffect }: RuleText,
  path: string,
  named: readonly ToolDefinition[],
  subjects: readonly ToolDefinition[],
  errors: PolicyError[],
): void {
  if (tools === undefined || toolEffect === undefined || subjects.length > 0) return;
  const effects = [...new Set(named.map((t) => t.effect))].join(', ');
  const message = `${tools.join(', ')} is ${effects}, so this rule never applies; remove effect, or write ${effects}`;
  errors.push({ path: `${path}.effect`, message });
}
