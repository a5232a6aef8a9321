// Rules over tool calls, as an agent file or a tenant states them.
import { z } from 'zod';
import { callProvenance } from './provenance.js';
import { toolName } from './tools.js';

export const ruleEffect = z.enum(['allow', 'ask', 'deny']);
export type RuleEffect = z.infer<typeof ruleEffect>;

/** A tool, a group of tools, or a beginning with a star: `send_*`. */
export const toolPattern = z
  .string()
  .regex(/^([a-zA-Z0-9_-]{1,128}|[a-zA-Z0-9_-]{0,127}\*)$/, 'a tool name, or its beginning and a *');

/** A CEL condition over the variables of policy: tool, arguments, provenance and so on. */
export const condition = z.string().min(1).max(2000);

export const policyRule = z
  .strictObject({
    id: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "a-z, 0-9 and '-', at most 63 characters"),
    effect: ruleEffect,
    /** Absent: all tools. */
    tools: z.array(toolPattern).min(1).max(200).optional(),
    /** Absent: always. */
    when: condition.optional(),
    reason: z.string().min(1).max(500).optional(),
  })
  .refine((rule) => rule.tools !== undefined || rule.when !== undefined, {
    message: 'give tools, when, or both; `when: "true"` is for every call of every tool',
  });
export type PolicyRule = z.infer<typeof policyRule>;

const rules = z.array(policyRule).max(200);

/** A list of rules, or rules and whether the built-in ones stand beside them. */
export const agentPolicy = z.union([
  rules,
  z.strictObject({
    /** false: only the rules here (and the tenant's) count; what none of them allows is refused. */
    default: z.boolean().default(true),
    rules: rules.default([]),
  }),
]);
export type AgentPolicy = z.infer<typeof agentPolicy>;

/** Short for rules that allow: a tool by name, or with a condition. */
export const allowRule = z.union([
  toolName,
  z.strictObject({ tool: toolName, when: condition.optional(), reason: z.string().min(1).max(500).optional() }),
]);
export type AllowRule = z.infer<typeof allowRule>;

/** Rules for every agent of a tenant. */
export const tenantPolicy = z.strictObject({
  /** true: the built-in rules count for every agent, also for one that switches them off. */
  default: z.boolean().default(false),
  rules: rules.default([]),
});
export type TenantPolicy = z.infer<typeof tenantPolicy>;

export const appliedRule = z.object({
  /** Of the rule: its own, `tenant/…`, `default/…`, or its place, as `approve[0]`. */
  id: z.string(),
  effect: ruleEffect,
  reason: z.string(),
  /** It could not be evaluated, which counts for caution. */
  failed: z.literal(true).optional(),
});
export type AppliedRule = z.infer<typeof appliedRule>;

/** Why a call was let through, asked about or refused. */
export const callDecision = z.object({
  /** Every rule that applied, the deciding one first. */
  rules: z.array(appliedRule),
  /** Absent where nothing depended on it. */
  provenance: callProvenance.optional(),
});
export type CallDecision = z.infer<typeof callDecision>;
