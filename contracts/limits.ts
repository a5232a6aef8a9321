// What may be used within a period (budgets), and how often calls may be made (rates).
import { z } from 'zod';
import { usdString } from './agent.js';
import { rate } from './rate.js';

export const budgetScope = z.enum(['tenant', 'agent', 'model', 'tool', 'run']);
export type BudgetScope = z.infer<typeof budgetScope>;

/** `total`: it never begins anew. Days and months are those of UTC. */
export const budgetPeriod = z.enum(['day', 'month', 'total']);
export type BudgetPeriod = z.infer<typeof budgetPeriod>;

const count = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

export const budgetAmounts = z.strictObject({
  costUsd: usdString.optional(),
  tokens: count.optional(),
  /** Model calls. */
  steps: count.optional(),
  toolCalls: count.optional(),
});
export type BudgetAmounts = z.infer<typeof budgetAmounts>;

/** What an operator sets; what is left out has no limit. */
export const budgetBody = z
  .strictObject({
    maxCostUsd: usdString.optional(),
    maxTokens: count.optional(),
    maxSteps: count.optional(),
    maxToolCalls: count.optional(),
  })
  .refine((body) => Object.values(body).some((value) => value !== undefined), {
    message: 'give at least one of maxCostUsd, maxTokens, maxSteps, maxToolCalls',
  });
export type BudgetBody = z.infer<typeof budgetBody>;

export const topUpBody = budgetAmounts.refine((body) => Object.values(body).some((value) => value !== undefined), {
  message: 'give at least one of costUsd, tokens, steps, toolCalls',
});

const allAmounts = z.object({ costUsd: z.string(), tokens: z.number(), steps: z.number(), toolCalls: z.number() });

export const budget = z.object({
  scope: budgetScope,
  /** `all` for the tenant, a name, or the id of the run at the root of the tree. */
  subject: z.string(),
  period: budgetPeriod,
  limits: budgetAmounts,
  /** In this period, and what was added to the limits for this period only. */
  used: allAmounts,
  topUps: allAmounts,
  /** Of model calls under way: at most what they can cost. */
  reserved: allAmounts.omit({ toolCalls: true }),
  /** The present period; neither for `total`. */
  from: z.iso.datetime().optional(),
  until: z.iso.datetime().optional(),
});
export type Budget = z.infer<typeof budget>;

export const rateScope = z.enum(['tenant', 'agent', 'model', 'tool']);
export type RateScope = z.infer<typeof rateScope>;

export const rateBody = z.strictObject({ rate, burst: z.int().min(1).max(1_000_000).optional() });
export type RateBody = z.infer<typeof rateBody>;

export const rateShape = z.object({
  scope: rateScope,
  subject: z.string(),
  rate: z.string(),
  burst: z.number(),
  /** From an agent file; those of operators stand beside them. */
  declared: z.boolean(),
});
export type RateAnswer = z.infer<typeof rateShape>;
