// The audit: signed checkpoints over the heads of all event chains, what a check of them found, the lines of an export.
import { z } from 'zod';
import { actor, runEvent } from './events.js';

export const chainHead = z.strictObject({ runId: z.string(), seq: z.number().int().positive(), hash: z.string() });
export type SignedHead = z.infer<typeof chainHead>;

export const checkpoint = z.strictObject({
  tenantId: z.string(),
  /** 1, 2, 3 … per tenant. */
  number: z.number().int().positive(),
  at: z.string(),
  /** Of every chain that moved since the checkpoint before, in order of the runs' ids. */
  heads: z.array(chainHead),
  prevHash: z.string(),
  hash: z.string(),
  publicKey: z.string(),
  signature: z.string(),
});
export type Checkpoint = z.infer<typeof checkpoint>;

/** One thing that acted on the world: who, what, by which rule, approved by whom. Names no content. */
export const auditEffect = z.strictObject({
  runId: z.string(),
  /** Of the event that says it began. */
  seq: z.number().int(),
  at: z.string(),
  agent: z.string(),
  agentVersion: z.string(),
  startedBy: actor,
  step: z.number().int().optional(),
  toolCallId: z.string(),
  tool: z.string(),
  effect: z.string(),
  rule: z.string(),
  argumentsDigest: z.string(),
  attempt: z.number().int(),
  /** The first is who decided. Empty: the rule asked nobody. */
  approvers: z.array(actor),
  approvalId: z.string().optional(),
  /** Absent: it has not come back. */
  outcome: z.string().optional(),
});
export type AuditEffect = z.infer<typeof auditEffect>;

const auditHeader = z.strictObject({
  kind: z.literal('audit'),
  format: z.literal(1),
  tenantId: z.string(),
  exportedAt: z.string(),
  publicKey: z.string(),
  /** Only this run was exported. */
  runId: z.string().optional(),
});
const auditEnd = z.strictObject({
  kind: z.literal('end'),
  runs: z.number().int(),
  events: z.number().int(),
  checkpoints: z.number().int(),
  /** SHA-256 of every line before, line ends included. */
  sha256: z.string(),
  publicKey: z.string(),
  signature: z.string(),
});

/** A line of an export. Checkpoints come first, then run after run its events and what they did. */
export const auditLine = z.discriminatedUnion('kind', [
  auditHeader,
  checkpoint.extend({ kind: z.literal('checkpoint') }),
  runEvent.extend({ kind: z.literal('event'), runId: z.string(), type: z.string() }).strict(),
  auditEffect.extend({ kind: z.literal('effect') }),
  auditEnd,
]);
export type AuditLine = z.infer<typeof auditLine>;
export type AuditEnd = z.infer<typeof auditEnd>;

/** The first thing that is wrong in a run, in the checkpoints or in a file. */
export const auditProblem = z.object({
  where: z.enum(['event', 'checkpoint', 'file']),
  runId: z.string().optional(),
  /** Of the first bad event; of a dropped one, the number that it had. */
  seq: z.number().int().optional(),
  checkpoint: z.number().int().optional(),
  line: z.number().int().optional(),
  problem: z.string(),
});
export type AuditProblem = z.infer<typeof auditProblem>;

export const auditReport = z.object({
  ok: z.boolean(),
  tenantId: z.string(),
  runs: z.number().int(),
  events: z.number().int(),
  checkpoints: z.number().int(),
  /** Events after the last checkpoint of their run: chained, and not signed yet. */
  unsigned: z.number().int(),
  /** Keep it elsewhere: a later audit that lacks it was cut short. */
  latest: z.object({ number: z.number().int(), at: z.string(), hash: z.string() }).optional(),
  /** Those that signed. */
  publicKeys: z.array(z.string()),
  /** The first bad event or checkpoint of each run, at most 100. */
  problems: z.array(auditProblem),
});
export type AuditReport = z.infer<typeof auditReport>;
