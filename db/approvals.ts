// Questions to people. The first decision wins; an approval is spent by exactly one execution.
import type { ApprovalStatus } from '../contracts/approvals.js';
import type { ApprovalKind, Decision } from '../contracts/decisions.js';
import type { Actor } from '../contracts/events.js';
import type { ToolEffect } from '../contracts/tools.js';
import type { PoolClient, Queryable } from './pool.js';

export interface ApprovalRow {
  id: string;
  tenantId: string;
  runId: string;
  step: number;
  toolCallId: string;
  kind: ApprovalKind;
  /** Of the questions of this kind about this call, from 1. */
  round: number;
  tool: string;
  effect: ToolEffect;
  argumentsHash: string;
  argumentsDigest: string;
  reason: string;
  rule: string;
  provenance: unknown;
  requestedAt: Date;
  expiresAt: Date;
  onExpiry: 'reject' | 'approve' | 'tell';
  status: ApprovalStatus;
  decision: Decision | 'expire' | 'withdraw' | null;
  decidedBy: Actor | null;
  decidedAt: Date | null;
  scope: 'once' | 'run' | null;
  messageHash: string | null;
  editedHash: string | null;
  grantedDigest: string | null;
  spentAt: Date | null;
}

const COLUMNS = `id, tenant_id "tenantId", agent_run_id "runId", step, tool_call_id "toolCallId", kind, round, tool, effect,
  arguments_hash "argumentsHash", arguments_digest "argumentsDigest", reason, rule, provenance,
  requested_at "requestedAt", expires_at "expiresAt", on_expiry "onExpiry", status, decision, decided_by "decidedBy",
  decided_at "decidedAt", scope, message_hash "messageHash", edited_hash "editedHash",
  granted_digest "grantedDigest", spent_at "spentAt"`;

export type NewApproval = Pick<
  ApprovalRow,
  | 'id'
  | 'tenantId'
  | 'runId'
  | 'step'
  | 'toolCallId'
  | 'kind'
  | 'round'
  | 'tool'
  | 'effect'
  | 'argumentsHash'
  | 'argumentsDigest'
  | 'reason'
  | 'rule'
  | 'expiresAt'
  | 'onExpiry'
>;

/** False when the question is there already. */
export async function insertApproval(tx: PoolClient, a: NewApproval): Promise<boolean> {
  const { rowCount } = await tx.query(
    `INSERT INTO approvals (id, tenant_id, agent_run_id, step, tool_call_id, kind, round, tool, effect,
       arguments_hash, arguments_digest, reason, rule, requested_at, expires_at, on_expiry, status)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, now(), $14, $15, 'pending')
     ON CONFLICT (id) DO NOTHING`,
    [
      a.id,
      a.tenantId,
      a.runId,
      a.step,
      a.toolCallId,
      a.kind,
      a.round,
      a.tool,
      a.effect,
      a.argumentsHash,
      a.argumentsDigest,
      a.reason,
      a.rule,
      a.expiresAt,
      a.onExpiry,
    ],
  );
  return rowCount === 1;
}

export async function findApproval(db: Queryable, id: string): Promise<ApprovalRow | undefined> {
  const { rows } = await db.query<ApprovalRow>(`SELECT ${COLUMNS} FROM approvals WHERE id = $1`, [id]);
  return rows[0];
}

export interface ApprovalFilter {
  status?: ApprovalStatus | undefined;
  kind?: ApprovalKind | undefined;
  runId?: string | undefined;
  after?: { requestedAt: string; id: string } | undefined;
  limit: number;
}

export type ListedApproval = ApprovalRow & { cursorTime: string };

/** Oldest first. `cursorTime` keeps the microseconds that a Date would lose. */
export async function listApprovals(
  db: Queryable,
  tenantId: string,
  filter: ApprovalFilter,
): Promise<ListedApproval[]> {
  const { rows } = await db.query<ListedApproval>(
    `SELECT ${COLUMNS}, requested_at::text "cursorTime" FROM approvals
     WHERE tenant_id = $1
       AND ($2::text IS NULL OR status = $2)
       AND ($3::text IS NULL OR agent_run_id = $3)
       AND ($4::timestamptz IS NULL OR (requested_at, id) > ($4, $5))
       AND ($6::text IS NULL OR kind = $6)
     ORDER BY requested_at, id LIMIT $7`,
    [
      tenantId,
      filter.status ?? null,
      filter.runId ?? null,
      filter.after?.requestedAt ?? null,
      filter.after?.id ?? null,
      filter.kind ?? null,
      filter.limit,
    ],
  );
  return rows;
}

export async function pendingApprovals(db: Queryable, agentRunId: string): Promise<ApprovalRow[]> {
  const { rows } = await db.query<ApprovalRow>(
    `SELECT ${COLUMNS} FROM approvals WHERE agent_run_id = $1 AND status = 'pending' ORDER BY requested_at, id`,
    [agentRunId],
  );
  return rows;
}

export interface DecisionRecord {
  status: ApprovalStatus;
  decision: Decision | 'expire' | 'withdraw';
  decidedBy: Actor;
  scope: 'once' | 'run';
  messageHash: string | null;
  editedHash: string | null;
  /** null when nothing may run. */
  grantedDigest: string | null;
}

/** Decides a pending approval. False: it was decided before, and that decision stands. */
export async function decideApproval(tx: PoolClient, id: string, d: DecisionRecord): Promise<boolean> {
  const { rowCount } = await tx.query(
    `UPDATE approvals SET status = $2, decision = $3, decided_by = $4, decided_at = now(), scope = $5,
       message_hash = $6, edited_hash = $7, granted_digest = $8
     WHERE id = $1 AND status = 'pending'`,
    [id, d.status, d.decision, JSON.stringify(d.decidedBy), d.scope, d.messageHash, d.editedHash, d.grantedDigest],
  );
  return rowCount === 1;
}

/** Spends what a person granted a call on exactly these arguments; undefined when there is nothing to spend. */
export async function spendApproval(
  tx: PoolClient,
  grant: { agentRunId: string; toolCallId: string; kind: ApprovalKind; round: number; argumentsDigest: string },
): Promise<{ id: string; decidedBy: Actor } | undefined> {
  const { rows } = await tx.query<{ id: string; decidedBy: Actor }>(
    `UPDATE approvals SET spent_at = now()
     WHERE agent_run_id = $1 AND tool_call_id = $2 AND kind = $3 AND round = $4 AND granted_digest = $5
       AND spent_at IS NULL
     RETURNING id, decided_by "decidedBy"`,
    [grant.agentRunId, grant.toolCallId, grant.kind, grant.round, grant.argumentsDigest],
  );
  return rows[0];
}

export async function cancelPendingApprovals(tx: PoolClient, agentRunId: string): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>(
    `UPDATE approvals SET status = 'cancelled', decided_at = now() WHERE agent_run_id = $1 AND status = 'pending'
     RETURNING id`,
    [agentRunId],
  );
  return rows.map((row) => row.id);
}

/** An answer that also counts for later calls of the run: a yes to all calls like it, or a no to exactly this one. */
export interface StandingAnswer {
  id: string;
  tool: string;
  rule: string;
  argumentsDigest: string;
  approved: boolean;
}

export async function standingAnswers(db: Queryable, agentRunId: string): Promise<StandingAnswer[]> {
  const { rows } = await db.query<StandingAnswer>(
    `SELECT id, tool, rule, arguments_digest "argumentsDigest", status = 'approved' approved FROM approvals
     WHERE agent_run_id = $1 AND kind = 'approval'
       AND (status = 'rejected' OR (status = 'approved' AND scope = 'run'))
     ORDER BY decided_at, id`,
    [agentRunId],
  );
  return rows;
}
