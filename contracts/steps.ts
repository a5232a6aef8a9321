// What a step was: what the model was shown and cost, what it decided, called and got back.
import { z } from 'zod';
import { callDecision } from './policy.js';

export const toolCall = z.object({
  toolCallId: z.string(),
  tool: z.string(),
  summary: z.string(),
  effect: z.string(),
  verdict: z.string(),
  rule: z.string(),
  reason: z.string(),
  argumentsDigest: z.string(),
  /** Every rule that applied, and where the arguments came from. */
  decision: callDecision.optional(),
  outcome: z.string().nullable(),
  isError: z.boolean().nullable(),
  attempts: z.number(),
  durationMs: z.number().nullable(),
  /** Why nobody knows whether the call happened, while a person is asked. */
  doubt: z.string().optional(),
  /** What the call really brought, when it came after the model had been told that nobody knows. */
  lateOutcome: z.string().optional(),
  lateResult: z.unknown().optional(),
  arguments: z.unknown().optional(),
  result: z.unknown().optional(),
});

export const step = z.object({
  step: z.number(),
  model: z.string(),
  attempts: z.number(),
  stopReason: z.string().nullable(),
  /** Bytes by category. */
  shown: z.record(z.string(), z.number()),
  requestHash: z.string(),
  usage: z.object({
    inputTokens: z.number(),
    outputTokens: z.number(),
    cacheReadTokens: z.number(),
    cacheWriteTokens: z.number(),
  }),
  costUsd: z.string(),
  requestedAt: z.iso.datetime(),
  durationMs: z.number().nullable(),
  toolCalls: z.array(toolCall),
  reply: z.unknown().optional(),
});
export type Step = z.infer<typeof step>;
