// Rules that judge a tool call: compiled and type-checked once, against each tool's own argument schema. Order does not
// matter: any deny refuses; else any ask asks; else any allow lets it run; else it is refused. A rule that cannot be
// evaluated counts for caution: it applies when it denies or asks, and not when it allows.
import type { AgentDefinition } from '../../contracts/agent.js';
import type { AppliedRule, RuleEffect, TenantPolicy } from '../../contracts/policy.js';
import type { CallProvenance } from '../../contracts/provenance.js';
import type { ToolDefinition, ToolVerdict } from '../../contracts/tools.js';
import { callVariables } from './callVariables.js';
import { type PolicyError, type Rule, compileRule } from './compileRule.js';
import type { Condition, Environments } from './conditions.js';
import { ruleTexts } from './ruleTexts.js';

export type { PolicyError } from './compileRule.js';

/** What a condition may look at beside the call itself. */
export interface PolicyFacts {
  agent: string;
  tenant: string;
  now: Date;
  run: { steps: number; toolCalls: number; costUsd: number; metadata: Record<string, string> };
  /** Absent: a person gave the arguments. */
  provenance?: CallProvenance;
}

export interface Verdict {
  verdict: ToolVerdict;
  rule: string;
  reason: string;
  /** Every rule that applied, the deciding one first. */
  applied: AppliedRule[];
}

export interface Policy {
  /** Does the verdict on a call of this tool depend on where its arguments came from, or is it to be known anyhow? */
  looksAtProvenance(tool: ToolDefinition): boolean;
  judge(tool: ToolDefinition, args: unknown, facts: PolicyFacts): Verdict;
}

export function compilePolicy(
  definition: Pick<AgentDefinition, 'policy' | 'allow' | 'approve'>,
  tools: readonly ToolDefinition[],
  tenant?: TenantPolicy,
): { ok: true; policy: Policy } | { ok: false; errors: PolicyError[] } {
  const errors: PolicyError[] = [];
  const environments: Environments = new Map();
  const texts = ruleTexts(definition, tenant);
  const ids = new Set<string>();
  for (const { id, path } of texts) {
    if (path !== undefined && ids.has(id))
      errors.push({ path: `${path}.id`, message: `${id} is there twice; ids are unique` });
    ids.add(id);
  }
  const curious = texts.some((text) => text.builtIn !== true && /\b(?:provenance|labels|call)\b/.test(text.when ?? ''));
  const rules = texts.map((text) => compileRule(text, tools, environments, errors));
  return errors.length > 0
    ? { ok: false, errors }
    : {
        ok: true,
        policy: {
          looksAtProvenance: (tool) => tool.effect !== 'read' || tool.external || tool.controls.length > 0 || curious,
          judge: (...call) => judge(rules, ...call),
        },
      };
}

const EFFECTS = ['deny', 'ask', 'allow'] as const satisfies RuleEffect[];
const VERDICTS: Record<RuleEffect, ToolVerdict> = { deny: 'reject', ask: 'ask', allow: 'execute' };

function judge(rules: readonly Rule[], tool: ToolDefinition, args: unknown, facts: PolicyFacts): Verdict {
  if (tool.waits === 'person')
    return { verdict: 'ask', rule: 'ask_person', reason: 'the model asks a person', applied: [] };
  const variables = callVariables(tool, args, facts);
  const before = { ...variables, call: { ...variables.call, allowed: false } };
  const allowed = rules.some((r) => r.effect === 'allow' && r.names && appliesTo(r, tool, before) === 'yes');
  const context = { ...variables, call: { ...variables.call, allowed } };
  const applied = rules.flatMap((rule): AppliedRule[] => {
    const applies = appliesTo(rule, tool, context);
    if (applies === 'no' || (applies === 'failed' && rule.effect === 'allow')) return [];
    return [
      {
        id: rule.id,
        effect: rule.effect,
        reason: rule.reason,
        ...(applies === 'failed' ? { failed: true as const } : {}),
      },
    ];
  });
  const sorted = EFFECTS.flatMap((effect) => applied.filter((rule) => rule.effect === effect));
  const [first] = sorted;
  if (!first) return { verdict: 'reject', rule: 'no-rule', reason: 'no rule allows it', applied: [] };
  return { verdict: VERDICTS[first.effect], rule: first.id, reason: first.reason, applied: sorted };
}

function appliesTo(rule: Rule, tool: ToolDefinition, context: Record<string, unknown>): 'yes' | 'no' | 'failed' {
  const condition: Condition | 'always' | undefined = rule.conditionFor(tool);
  if (condition === undefined) return 'no';
  if (condition === 'always') return 'yes';
  try {
    const value = condition(context);
    return value === true ? 'yes' : value === false ? 'no' : 'failed';
  } catch {
    return 'failed'; // an absent optional argument, for example
  }
}
