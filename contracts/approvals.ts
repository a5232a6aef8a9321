// A question to a person, bound to one tool call and to the digest of its arguments.
import { z } from 'zod';
import { type Decision, approvalKinds, decisions } from './decisions.js';
import { actor } from './events.js';
import { callProvenance } from './provenance.js';
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
  failed: 'responded',
  not_happened: 'approved',
  unknown: 'rejected',
  expire: 'expired',
  withdraw: 'cancelled',
};

/** One grant of several that a question needs. */
export const approvalVote = z.object({
  by: actor,
  at: z.iso.datetime(),
  decision,
  /** Of the arguments that they want to run; to agree, decide with `approve` and this digest. */
  argumentsDigest: z.string(),
  /** Where they are others than those shown. */
  arguments: z.unknown().optional(),
});

export const approval = z.object({
  id: z.string(),
  /** Short, for chat: of one pending question at a time. */
  code: z.string().optional(),
  runId: z.string(),
  agent: z.string(),
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
  /** Where the arguments came from. */
  provenance: callProvenance.optional(),
  requestedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  /** `tell`: the model is told that nobody knows. */
  onExpiry: z.enum(['reject', 'approve', 'tell']),
  status: approvalStatus,
  /** So many people must want the same before it runs. */
  approvers: z.number().int(),
  votes: z.array(approvalVote),
  assignee: z.string().optional(),
  remindedAt: z.iso.datetime().optional(),
  escalatedAt: z.iso.datetime().optional(),
  decision: z.enum([...decision.options, 'expire', 'withdraw']).optional(),
  decidedBy: actor.optional(),
  decidedAt: z.iso.datetime().optional(),
  scope: z.enum(['once', 'run']).optional(),
  /** With `edit`: what runs instead. */
  editedArguments: z.unknown().optional(),
  /** When its one execution began. */
  spentAt: z.iso.datetime().optional(),
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
    /** With `succeeded` or `failed`: the call's result, any JSON, instead of a message. */
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
    const tellsEnd = body.decision === 'succeeded' || body.decision === 'failed';
    if (tellsEnd && (body.message === undefined) === (body.result === undefined))
      ctx.addIssue({ code: 'custom', path: ['result'], message: 'give the result of the call, or a message instead' });
    if (!tellsEnd && body.result !== undefined)
      ctx.addIssue({
        code: 'custom',
        path: ['result'],
        message: 'only taken when the decision is succeeded or failed',
      });
    if (body.scope === 'run' && body.decision !== 'approve')
      ctx.addIssue({ code: 'custom', path: ['scope'], message: 'run is only taken when the decision is approve' });
  });
export type DecisionBody = z.infer<typeof decisionBody>;

/** The same decision on many questions: on those named with the digests shown, or on those that were there at a time. */
export const decisionsBody = z
  .strictObject({
    decision: z.enum(['approve', 'reject']),
    message: z.string().min(1).max(20_000).optional(),
    scope: z.enum(['once', 'run']).default('once'),
    approvals: z
      .array(z.strictObject({ id: z.string().min(1).max(64), argumentsDigest: z.string().min(1) }))
      .min(1)
      .max(200)
      .optional(),
    filter: z
      .strictObject({
        /** Id or code: those of the same agent, kind, tool and rule. */
        like: z.string().min(1).max(64).optional(),
        agent: z.string().max(64).optional(),
        tool: z.string().max(128).optional(),
        rule: z.string().max(200).optional(),
        runId: z.string().max(64).optional(),
        assignee: z.string().max(100).optional(),
      })
      .refine((filter) => Object.values(filter).some((value) => value !== undefined), {
        message: 'give at least one of like, agent, tool, rule, runId, assignee',
      })
      .optional(),
    requestedBefore: z.iso.datetime({ offset: true }).optional(),
  })
  .superRefine((body, ctx) => {
    const refuse = (field: string, message: string): void => ctx.addIssue({ code: 'custom', path: [field], message });
    if ((body.approvals === undefined) === (body.filter === undefined))
      refuse('approvals', 'give approvals (ids with the digests shown) or filter, one of them');
    if (body.filter !== undefined && body.requestedBefore === undefined)
      refuse('requestedBefore', 'needed with filter: when you looked, so that nothing unseen is decided');
    if (body.scope === 'run' && body.decision !== 'approve')
      refuse('scope', 'run is only taken when the decision is approve');
  });
export type DecisionsBody = z.infer<typeof decisionsBody>;

export const decisionsResult = z.object({
  data: z.array(
    z.discriminatedUnion('ok', [
      z.object({ id: z.string(), ok: z.literal(true), approval }),
      z.object({
        id: z.string(),
        ok: z.literal(false),
        problem: z.object({ type: z.string(), title: z.string(), status: z.number().int(), detail: z.string() }),
      }),
    ]),
  ),
  decided: z.number().int(),
  refused: z.number().int(),
});
export type DecisionsResult = z.infer<typeof decisionsResult>;
