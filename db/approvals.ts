// Questions to people. The first decision wins; an approval is spent by exactly one execution.
import type { ApprovalNotice } from '../contracts/agentRun.js';
import type { ApprovalStatus } from '../contracts/approvals.js';
import type { ApprovalKind, Decision } from '../contracts/decisions.js';
import type { Actor } from '../contracts/events.js';
import type { CallProvenance } from '../contracts/provenance.js';
import type { ToolEffect } from '../contracts/tools.js';
import { newCode } from '../harness/ids.js';
import type { PoolClient, Queryable } from './pool.js';

export interface ApprovalRow {
  id: string;
  tenantId: string;
  runId: string;
  agentName: string;
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
  provenance: CallProvenance | null;
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
  /** For chat. Null for questions from before there were codes. */
  code: string | null;
  approvers: number;
  votes: StoredVote[];
  assignee: string | null;
  remindedAt: Date | null;
  escalatedAt: Date | null;
}

export interface StoredVote {
  by: Actor;
  at: string;
  decision: Decision | 'expire' | 'withdraw';
  digest: string;
}

const COLUMNS = `id, tenant_id "tenantId", agent_run_id "runId", step, tool_call_id "toolCallId", kind, round, tool, effect,
  arguments_hash "argumentsHash", arguments_digest "argumentsDigest", reason, rule, provenance,
  requested_at "requestedAt", expires_at "expiresAt", on_expiry "onExpiry", status, decision, decided_by "decidedBy",
  decided_at "decidedAt", scope, message_hash "messageHash", edited_hash "editedHash",
  granted_digest "grantedDigest", spent_at "spentAt", code, approvers, votes, assignee, reminded_at "remindedAt",
  escalated_at "escalatedAt", (SELECT agent_name FROM agent_runs r WHERE r.id = agent_run_id) "agentName"`;

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
  | 'approvers'
  | 'assignee'
  | 'provenance'
>;

/** Its code, or undefined when the question is there already. */
export async function insertApproval(tx: PoolClient, a: NewApproval): Promise<string | undefined> {
  const code = await freeCode(tx, a.tenantId);
  const { rowCount } = await tx.query(
    `INSERT INTO approvals (id, tenant_id, agent_run_id, step, tool_call_id, kind, round, tool, effect,
       arguments_hash, arguments_digest, reason, rule, requested_at, expires_at, on_expiry, status, approvers,
       assignee, code, provenance)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, now(), $14, $15, 'pending', $16, $17, $18, $19)
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
      a.approvers,
      a.assignee,
      code,
      a.provenance === null ? null : JSON.stringify(a.provenance),
    ],
  );
  return rowCount === 1 ? code : undefined;
}

/** One that no pending question of the tenant has. Two transactions may find the same; the index refuses one of them. */
async function freeCode(tx: PoolClient, tenantId: string): Promise<string> {
  const candidates = [newCode(4), newCode(4), newCode(4), newCode(5), newCode(8)];
  const { rows } = await tx.query<{ code: string }>(
    `SELECT code FROM approvals WHERE tenant_id = $1 AND status = 'pending' AND code = ANY ($2)`,
    [tenantId, candidates],
  );
  const taken = new Set(rows.map((row) => row.code));
  return candidates.find((code) => !taken.has(code)) ?? newCode(12);
}

export async function findApproval(db: Queryable, id: string): Promise<ApprovalRow | undefined> {
  const { rows } = await db.query<ApprovalRow>(`SELECT ${COLUMNS} FROM approvals WHERE id = $1`, [id]);
  return rows[0];
}

/** The pending question with this code; else the last one that had it. */
export async function findApprovalByCode(
  db: Queryable,
  tenantId: string,
  code: string,
): Promise<ApprovalRow | undefined> {
  const { rows } = await db.query<ApprovalRow>(
    `SELECT ${COLUMNS} FROM approvals WHERE tenant_id = $1 AND code = $2
     ORDER BY status = 'pending' DESC, requested_at DESC LIMIT 1`,
    [tenantId, code],
  );
  return rows[0];
}

export interface ApprovalFilter {
  status?: ApprovalStatus | undefined;
  /** Absent: every kind that asks a person. */
  kind?: ApprovalKind | undefined;
  runId?: string | undefined;
  assignee?: string | undefined;
  agent?: string | undefined;
  tool?: string | undefined;
  rule?: string | undefined;
  /** Like this one: same agent, kind, tool and rule. */
  like?: string | undefined;
  /** Not younger than this. */
  requestedBefore?: Date | undefined;
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
       AND CASE WHEN $6::text IS NULL THEN kind <> 'client' ELSE kind = $6 END
       AND ($7::text IS NULL OR assignee = $7)
       AND ($8::text IS NULL OR (kind, tool, rule, (SELECT agent_name FROM agent_runs r WHERE r.id = agent_run_id)) =
         (SELECT l.kind, l.tool, l.rule, r.agent_name FROM approvals l JOIN agent_runs r ON r.id = l.agent_run_id
          WHERE l.id = $8 AND l.tenant_id = $1))
       AND ($9::timestamptz IS NULL OR requested_at <= $9)
       AND ($10::text IS NULL OR tool = $10)
       AND ($11::text IS NULL OR rule = $11)
       AND ($12::text IS NULL OR (SELECT agent_name FROM agent_runs r WHERE r.id = agent_run_id) = $12)
     ORDER BY requested_at, id LIMIT $13`,
    [
      tenantId,
      filter.status ?? null,
      filter.runId ?? null,
      filter.after?.requestedAt ?? null,
      filter.after?.id ?? null,
      filter.kind ?? null,
      filter.assignee ?? null,
      filter.like ?? null,
      filter.requestedBefore ?? null,
      filter.tool ?? null,
      filter.rule ?? null,
      filter.agent ?? null,
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
  /** Undefined: as they are. */
  votes: StoredVote[] | undefined;
}

/** Decides a pending approval. False: it was decided before, and that decision stands. */
export async function decideApproval(tx: PoolClient, id: string, d: DecisionRecord): Promise<boolean> {
  const { rowCount } = await tx.query(
    `UPDATE approvals SET status = $2, decision = $3, decided_by = $4, decided_at = now(), scope = $5,
       message_hash = $6, edited_hash = $7, granted_digest = $8, votes = coalesce($9::json, votes)
     WHERE id = $1 AND status = 'pending'`,
    [
      id,
      d.status,
      d.decision,
      JSON.stringify(d.decidedBy),
      d.scope,
      d.messageHash,
      d.editedHash,
      d.grantedDigest,
      d.votes === undefined ? null : JSON.stringify(d.votes),
    ],
  );
  return rowCount === 1;
}

export async function addVote(tx: PoolClient, id: string, votes: readonly StoredVote[]): Promise<void> {
  await tx.query(`UPDATE approvals SET votes = $2 WHERE id = $1 AND status = 'pending'`, [id, JSON.stringify(votes)]);
}

/** False when it was given before. `to`: whose the question is from now on. */
export async function markNotice(
  tx: PoolClient,
  id: string,
  notice: ApprovalNotice,
  to: string | null,
): Promise<boolean> {
  const column = { reminded: 'reminded_at', escalated: 'escalated_at' }[notice];
  const { rowCount } = await tx.query(
    `UPDATE approvals SET ${column} = now(), assignee = coalesce($2, assignee) WHERE id = $1 AND ${column} IS NULL`,
    [id, to],
  );
  return rowCount === 1;
}

export interface Spent {
  id: string;
  decidedBy: Actor;
  votes: StoredVote[];
}

/** What a person granted a call: exactly these arguments. */
export interface Grant {
  agentRunId: string;
  toolCallId: string;
  kind: ApprovalKind;
  round: number;
  argumentsDigest: string;
}
const UNSPENT_GRANT = `agent_run_id = $1 AND tool_call_id = $2 AND kind = $3 AND round = $4 AND granted_digest = $5
       AND spent_at IS NULL`;
const grantValues = (g: Grant): unknown[] => [g.agentRunId, g.toolCallId, g.kind, g.round, g.argumentsDigest];

export async function hasGrant(db: Queryable, grant: Grant): Promise<boolean> {
  const { rowCount } = await db.query(`SELECT 1 FROM approvals WHERE ${UNSPENT_GRANT}`, grantValues(grant));
  return rowCount === 1;
}

/** Spends a grant; undefined when there is none to spend. */
export async function spendApproval(tx: PoolClient, grant: Grant): Promise<Spent | undefined> {
  const { rows } = await tx.query<Spent>(
    `UPDATE approvals SET spent_at = now()
     WHERE ${UNSPENT_GRANT}
     RETURNING id, decided_by "decidedBy", votes`,
    grantValues(grant),
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
  /** Every rule that asked about that call. */
  rules: string[];
  argumentsDigest: string;
  approved: boolean;
}

export async function standingAnswers(db: Queryable, agentRunId: string): Promise<StandingAnswer[]> {
  const { rows } = await db.query<StandingAnswer>(
    `SELECT a.id, a.tool, a.rule, a.arguments_digest "argumentsDigest", a.status = 'approved' approved,
       array_append(ARRAY(SELECT applied->>'id' FROM json_array_elements(t.decision->'rules') AS applied
         WHERE applied->>'effect' = 'ask'), a.rule) rules
     FROM approvals a JOIN tool_calls t ON t.agent_run_id = a.agent_run_id AND t.id = a.tool_call_id
     WHERE a.agent_run_id = $1 AND a.kind = 'approval'
       AND (a.status = 'rejected' OR (a.status = 'approved' AND a.scope = 'run'))
     ORDER BY a.decided_at, a.id`,
    [agentRunId],
  );
  return rows;
}
