// A question to a person, bound to one tool call and to the digest of its arguments.
import { z } from 'zod';
import { type Decision, approvalKinds, decisions } from './decisions.js';
import { actor } from './events.js';
import { toolEffect } from './tools.js';

export const approvalStatus = z.enum([
  'pending',
  'approved',
  'rejected',
  'edited',
  'responded',
  'expired',
  'cancelled',
]);
export type ApprovalStatus = z.infer<typeof approvalStatus>;

export const approvalKind = z.enum(approvalKinds);
export const decision = z.enum(decisions);

export const statusOfDecision: Record<Decision | 'expire' | 'withdraw', ApprovalStatus> = {
  approve: 'approved',
  reject: 'rejected',
  edit: 'edited',
  respond: 'responded',
  succeeded: 'responded',
  not_happened: 'approved',
  unknown: 'rejected',
  expire: 'expired',
  withdraw: 'cancelled',
};

export const approval = z.object({
  id: z.string(),
  runId: z.string(),
  step: z.number().int(),
  toolCallId: z.string(),
  kind: approvalKind,
  tool: z.string(),
  effect: toolEffect,
  /** null after the content of the run was erased. */
  arguments: z.unknown(),
  argumentsDigest: z.string(),
  reason: z.string(),
  rule: z.string(),
  provenance: z.unknown().optional(),
  requestedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  /** `tell`: the model is told that nobody knows. */
  onExpiry: z.enum(['reject', 'approve', 'tell']),
  status: approvalStatus,
  decision: z.enum([...decision.options, 'expire', 'withdraw']).optional(),
  decidedBy: actor.optional(),
  decidedAt: z.iso.datetime().optional(),
  message: z.string().optional(),
  /** What a person gave as the call's result, when it is not text. */
  result: z.unknown().optional(),
});
export type Approval = z.infer<typeof approval>;

export const decisionBody = z
  .strictObject({
    decision,
    argumentsDigest: z.string().min(1),
    /** With `edit`: the arguments to run instead. */
    arguments: z.record(z.string(), z.unknown()).optional(),
    /** For the model: why it was rejected, or the answer (`respond`). */
    message: z.string().min(1).max(20_000).optional(),
    /** With `succeeded`: the call's result, any JSON, instead of a message. */
    result: z.unknown().optional(),
    scope: z.enum(['once', 'run']).default('once'),
  })
  .superRefine((body, ctx) => {
    if (body.decision === 'edit' && body.arguments === undefined)
      ctx.addIssue({ code: 'custom', path: ['arguments'], message: 'needed when the decision is edit' });
    if (body.decision !== 'edit' && body.arguments !== undefined)
      ctx.addIssue({ code: 'custom', path: ['arguments'], message: 'only taken when the decision is edit' });
    if (body.decision === 'respond' && body.message === undefined)
      ctx.addIssue({ code: 'custom', path: ['message'], message: 'needed when the decision is respond' });
    if (body.decision === 'succeeded' && (body.message === undefined) === (body.result === undefined))
      ctx.addIssue({ code: 'custom', path: ['result'], message: 'give the result of the call, or a message instead' });
    if (body.decision !== 'succeeded' && body.result !== undefined)
      ctx.addIssue({ code: 'custom', path: ['result'], message: 'only taken when the decision is succeeded' });
    if (body.scope === 'run' && body.decision !== 'approve')
      ctx.addIssue({ code: 'custom', path: ['scope'], message: 'run is only taken when the decision is approve' });
  });
export type DecisionBody = z.infer<typeof decisionBody>;
