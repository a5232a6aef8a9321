// What the service answers, as far as this command reads it. Unknown fields are kept, so --json shows everything.
import { z } from 'zod';
import { run } from '../contracts/agentRun.js';
import { approval } from '../contracts/approvals.js';
import { budget, rateShape } from '../contracts/limits.js';
import { runEvent } from '../contracts/events.js';
import { sweepState } from '../contracts/housekeeping.js';
import { step, toolCall } from '../contracts/steps.js';
import { toolDefinition } from '../contracts/tools.js';

export const runAnswer = run.loose();
export const approvalAnswer = approval.loose();
export type ApprovalAnswer = z.infer<typeof approvalAnswer>;
/** A newer service may have event types that this command does not know; they are shown by name. */
export const eventAnswer = runEvent.extend({ type: z.string() }).loose();
export type EventAnswer = z.infer<typeof eventAnswer>;

export const toolCallAnswer = toolCall.loose();
export type ToolCallAnswer = z.infer<typeof toolCallAnswer>;
export const stepAnswer = step.extend({ toolCalls: z.array(toolCallAnswer) }).loose();
export type StepAnswer = z.infer<typeof stepAnswer>;

export const agentAnswer = z.looseObject({
  name: z.string(),
  version: z.string(),
  current: z.boolean(),
  createdAt: z.string(),
  definition: z.looseObject({ model: z.string(), description: z.string().optional() }),
});
export const toolAnswer = toolDefinition
  .extend({
    available: z.boolean(),
    refusals: z.array(z.looseObject({ host: z.string(), reason: z.string() })).optional(),
  })
  .loose();
export const budgetAnswer = budget.loose();
export const rateAnswer = rateShape.loose();
export const sweepAnswer = sweepState.loose();
export const keyAnswer = z.looseObject({
  id: z.string(),
  name: z.string(),
  roles: z.array(z.string()),
  createdAt: z.string(),
  revokedAt: z.string().optional(),
  key: z.string().optional(),
});

export const pageOf = <T extends z.ZodType>(item: T) =>
  z.looseObject({ data: z.array(item), nextCursor: z.string().nullish(), nextAfter: z.number().nullish() });
