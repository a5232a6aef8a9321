// Every rule that counts for an agent in one form, whoever wrote it: built in, tenant, agent, and its short forms.
import type { AgentDefinition, ApproveRule } from '../../contracts/agent.js';
import type { AllowRule, PolicyRule, RuleEffect, TenantPolicy } from '../../contracts/policy.js';
import type { ToolEffect } from '../../contracts/tools.js';
import { DEFAULT_RULES } from './defaultPolicy.js';

export interface RuleText {
  id: string;
  effect: RuleEffect;
  reason: string;
  /** Names, groups and patterns. Absent: every tool. */
  tools?: readonly string[];
  toolEffect?: ToolEffect;
  when?: string;
  /** Where it stands in the file it comes from; absent for rules that are not this file's. */
  path?: string;
  builtIn?: true;
}

type Rules = Pick<AgentDefinition, 'policy' | 'allow' | 'approve'>;

export function ruleTexts(definition: Rules, tenant?: TenantPolicy): RuleText[] {
  const { policy = [], allow = [], approve } = definition;
  const [own, path, ownDefault] = Array.isArray(policy)
    ? [policy, 'policy', true]
    : [policy.rules, 'policy.rules', policy.default];
  return [
    ...(tenant?.rules ?? []).map((rule) => written(rule, `tenant/${rule.id}`)),
    ...own.map((rule, i) => ({ ...written(rule, rule.id), path: `${path}[${i}]` })),
    ...allow.map(allowed),
    ...approve.map(asked),
    // Last: where several ask, what the operator wrote is the reason that people read.
    ...(ownDefault || tenant?.default === true
      ? DEFAULT_RULES.map((rule) => ({ ...rule, builtIn: true as const }))
      : []),
  ];
}

export function written({ effect, tools, when, reason }: PolicyRule, id: string): RuleText {
  const described = [tools && `tools ${tools.join(', ')}`, when && `when ${when}`].filter(Boolean).join(' ');
  return {
    id,
    effect,
    reason: reason ?? `${VERBS[effect]} ${described}`,
    ...(tools === undefined ? {} : { tools }),
    ...(when === undefined ? {} : { when }),
  };
}

const VERBS: Record<RuleEffect, string> = { allow: 'allowed for', ask: 'approval is asked for', deny: 'refused for' };

function allowed(entry: AllowRule, i: number): RuleText {
  const rule = typeof entry === 'string' ? { tool: entry } : entry;
  const { tool, when, reason } = { when: undefined, reason: undefined, ...rule };
  return {
    id: `allow[${i}]`,
    effect: 'allow',
    reason: reason ?? `${tool} is allowed${when === undefined ? '' : ` when ${when}`}`,
    tools: [tool],
    ...(when === undefined ? {} : { when }),
    path: `allow[${i}]`,
  };
}

function asked(entry: ApproveRule, i: number): RuleText {
  const what = [
    entry.tool === undefined ? undefined : `tool ${entry.tool}`,
    entry.effect === undefined ? undefined : `effect ${entry.effect}`,
    entry.when === undefined ? undefined : `when ${entry.when}`,
  ];
  return {
    id: `approve[${i}]`,
    effect: 'ask',
    reason: entry.reason ?? `approval is asked for ${what.filter(Boolean).join(', ')}`,
    ...(entry.tool === undefined ? {} : { tools: [entry.tool] }),
    ...(entry.effect === undefined ? {} : { toolEffect: entry.effect }),
    ...(entry.when === undefined ? {} : { when: entry.when }),
    path: `approve[${i}]`,
  };
}
