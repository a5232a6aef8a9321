// A question to a person, bound to one tool call and to the digest of its arguments.
import { z } from 'zod';
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

export const decision = z.enum(['approve', 'reject', 'edit', 'respond']);
export type Decision = z.infer<typeof decision>;

export const statusOfDecision: Record<Decision | 'expire', ApprovalStatus> = {
  approve: 'approved',
  reject: 'rejected',
  edit: 'edited',
  respond: 'responded',
  expire: 'expired',
};

export const approval = z.object({
  id: z.string(),
  runId: z.string(),
  step: z.number().int(),
  toolCallId: z.string(),
  /** `approval`: may this call run? `input`: the model asks a person something (ask_person). */
  kind: z.enum(['approval', 'input']),
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
  onExpiry: z.enum(['reject', 'approve']),
  status: approvalStatus,
  decision: z.enum(['approve', 'reject', 'edit', 'respond', 'expire']).optional(),
  decidedBy: actor.optional(),
  decidedAt: z.iso.datetime().optional(),
  message: z.string().optional(),
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
    scope: z.enum(['once', 'run']).default('once'),
  })
  .superRefine((body, ctx) => {
    if (body.decision === 'edit' && body.arguments === undefined)
      ctx.addIssue({ code: 'custom', path: ['arguments'], message: 'needed when the decision is edit' });
    if (body.decision !== 'edit' && body.arguments !== undefined)
      ctx.addIssue({ code: 'custom', path: ['arguments'], message: 'only taken when the decision is edit' });
    if (body.decision === 'respond' && body.message === undefined)
      ctx.addIssue({ code: 'custom', path: ['message'], message: 'needed when the decision is respond' });
    if (body.scope === 'run' && body.decision !== 'approve')
      ctx.addIssue({ code: 'custom', path: ['scope'], message: 'run is only taken when the decision is approve' });
  });
export type DecisionBody = z.infer<typeof decisionBody>;
