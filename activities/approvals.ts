// A question to a person: asked once, answered once, and what the answer means for the call.
import type {
  ApprovalDecision,
  PendingApproval,
  RecordedDecision,
  ToolCallInput,
  Waiting,
} from '../contracts/agentRun.js';
import { isClosed } from '../contracts/agentRun.js';
import { statusOfDecision } from '../contracts/approvals.js';
import { systemActor } from '../contracts/events.js';
import {
  type ApprovalRow,
  decideApproval,
  findApproval,
  findApprovalOfCall,
  insertApproval,
  pendingApprovals,
} from '../db/approvals.js';
import { getJsonContent, putContent } from '../db/contents.js';
import { appendEvents } from '../db/events.js';
import { type PoolClient, withTransaction } from '../db/pool.js';
import { type RunRow, lockRun, setRunRunning, setRunStatus } from '../db/runs.js';
import { type ToolCallRow, findToolCall, setToolCallArguments } from '../db/toolCalls.js';
import type { Deps } from './deps.js';
import { settle } from './recordToolResult.js';

export interface RequestApprovalInput extends ToolCallInput {
  approval: PendingApproval;
}

export async function requestApproval(deps: Deps, input: RequestApprovalInput): Promise<void> {
  await withTransaction(deps.pool, async (tx) => {
    const run = await lockRun(tx, input.agentRunId);
    const call = await findToolCall(tx, run.id, input.toolCallId);
    if (!call) throw new Error(`no tool call ${input.toolCallId} in ${run.id}`);
    if (isClosed(run.status)) return;
    const { definition } = await deps.agents.of(tx, run);
    const { approvalId, kind, expiresAtMs } = input.approval;
    const expiresAt = new Date(expiresAtMs);
    const asked = await insertApproval(tx, {
      id: approvalId,
      tenantId: run.tenantId,
      runId: run.id,
      step: call.step,
      toolCallId: call.id,
      kind,
      tool: call.tool,
      effect: call.effect,
      argumentsHash: call.argumentsHash,
      argumentsDigest: call.argumentsDigest,
      reason: call.reason,
      rule: call.rule,
      expiresAt,
      onExpiry: kind === 'input' ? 'reject' : definition.approvals.onExpiry,
    });
    if (!asked) return;
    const waiting = await waitForPeople(tx, run);
    await appendEvents(tx, run, [
      {
        type: 'approval.requested',
        actor: systemActor('policy'),
        step: call.step,
        toolCallId: call.id,
        data: {
          approvalId,
          kind,
          tool: call.tool,
          rule: call.rule,
          reason: call.reason,
          argumentsDigest: call.argumentsDigest,
          expiresAt: expiresAt.toISOString(),
        },
      },
      { type: 'run.waiting', actor: systemActor('worker'), step: call.step, data: { ...waiting } },
    ]);
  });
}

/** Sets the run waiting for whoever is still asked, or running when nobody is. */
async function waitForPeople(tx: PoolClient, run: RunRow): Promise<Waiting | undefined> {
  const pending = await pendingApprovals(tx, run.id);
  const [first] = pending;
  if (!first) {
    await setRunRunning(tx, run.id);
    return undefined;
  }
  const waiting: Waiting = {
    for: pending.every((a) => a.kind === 'input') ? 'input' : 'approval',
    since: first.requestedAt.toISOString(),
    until: new Date(Math.min(...pending.map((a) => a.expiresAt.getTime()))).toISOString(),
    approvalIds: pending.map((a) => a.id),
  };
  await setRunStatus(tx, run.id, 'waiting', waiting);
  return waiting;
}

export interface RecordDecisionInput extends ToolCallInput {
  decision: ApprovalDecision;
}

/** Stores the workflow's first decision. Called again it returns what was stored. */
export async function recordDecision(deps: Deps, input: RecordDecisionInput): Promise<RecordedDecision> {
  return withTransaction(deps.pool, async (tx) => {
    const run = await lockRun(tx, input.agentRunId);
    const approval = await findApproval(tx, input.decision.approvalId);
    const call = await findToolCall(tx, run.id, input.toolCallId);
    if (!approval || !call) throw new Error(`no approval ${input.decision.approvalId} in ${run.id}`);
    if (approval.status !== 'pending') return recorded(approval);
    await record(tx, run, call, approval, input.decision);
    await waitForPeople(tx, run);
    return recorded((await findApprovalOfCall(tx, run.id, call.id)) as ApprovalRow);
  });
}

const recorded = (approval: ApprovalRow): RecordedDecision => ({
  next: approval.grantedDigest === null ? 'settled' : 'execute',
  status: approval.status,
});

async function record(
  tx: PoolClient,
  run: RunRow,
  call: ToolCallRow,
  approval: ApprovalRow,
  d: ApprovalDecision,
): Promise<void> {
  const messageHash =
    d.messageHash ?? (d.messageText === undefined ? null : await putContent(tx, run.id, JSON.stringify(d.messageText)));
  const granted = grantedDigest(approval, d);
  await decideApproval(tx, approval.id, {
    status: statusOfDecision[d.decision],
    decision: d.decision,
    decidedBy: d.by,
    scope: d.scope ?? 'once',
    messageHash,
    editedHash: d.editedHash ?? null,
    grantedDigest: granted,
  });
  if (d.decision === 'edit' && d.editedHash !== undefined) {
    // The content's hash is the digest: both are the SHA-256 of the canonical arguments.
    await setToolCallArguments(tx, run.id, call.id, { argumentsHash: d.editedHash, argumentsDigest: d.editedHash });
  }
  await appendEvents(tx, run, [
    {
      type: d.decision === 'expire' ? 'approval.expired' : 'approval.decided',
      actor: d.by,
      step: call.step,
      toolCallId: call.id,
      data: {
        approvalId: approval.id,
        tool: call.tool,
        decision: d.decision,
        argumentsDigest: approval.argumentsDigest,
        ...(granted === null ? {} : { grantedDigest: granted }),
        ...(messageHash === null ? {} : { messageHash }),
        ...(d.scope === 'run' ? { scope: 'run' } : {}),
        ...(d.decision === 'expire' ? { onExpiry: approval.onExpiry } : {}),
      },
    },
  ]);
  if (granted === null) await settleUnapproved(tx, run, call, approval, d, messageHash);
}

/** The digest of the arguments that may run now, or null when nothing may. */
function grantedDigest(approval: ApprovalRow, d: ApprovalDecision): string | null {
  switch (d.decision) {
    case 'approve':
      return approval.argumentsDigest;
    case 'edit':
      return d.editedHash ?? null;
    case 'expire':
      return approval.onExpiry === 'approve' ? approval.argumentsDigest : null;
    case 'reject':
    case 'respond':
      return null;
  }
}

async function settleUnapproved(
  tx: PoolClient,
  run: RunRow,
  call: ToolCallRow,
  approval: ApprovalRow,
  d: ApprovalDecision,
  messageHash: string | null,
): Promise<void> {
  const message = messageHash === null ? undefined : String(await getJsonContent(tx, run.id, messageHash));
  if (d.decision === 'respond') {
    await settle(tx, run, call, { outcome: 'succeeded', text: message ?? '', isError: false, actor: d.by });
    return;
  }
  const asked = approval.kind === 'input' ? 'The question' : 'The call';
  const text =
    d.decision === 'expire'
      ? `${asked} expired without an answer. Nothing was executed.`
      : `${asked} was refused by a person. Nothing was executed.${message === undefined ? '' : ` They said: ${message}`} ` +
        'Do not ask for the same again.';
  await settle(tx, run, call, { outcome: 'rejected', text, actor: d.by });
}
