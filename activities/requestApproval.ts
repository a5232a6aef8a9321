// A question to a person, asked once: may this call run, what the model wants to know, or what became of a call.
import type { AgentDefinition } from '../contracts/agent.js';
import type {
  AskedQuestion,
  PendingApproval,
  RecordedDecision,
  ToolCallInput,
  Waiting,
} from '../contracts/agentRun.js';
import { isClosed } from '../contracts/agentRun.js';
import { systemActor } from '../contracts/events.js';
import { type ApprovalRow, type NewApproval, findApproval, insertApproval, pendingApprovals } from '../db/approvals.js';
import { appendEvents } from '../db/events.js';
import { type PoolClient, withTransaction } from '../db/pool.js';
import { type RunRow, lockRun, setRunRunning, setRunStatus } from '../db/runs.js';
import { type ToolCallRow, findToolCall } from '../db/toolCalls.js';
import type { Deps } from './deps.js';

export interface RequestApprovalInput extends ToolCallInput {
  approval: PendingApproval;
}

/** Asked again, as after a reset of the workflow, it returns what was decided. */
export async function requestApproval(deps: Deps, input: RequestApprovalInput): Promise<AskedQuestion> {
  return withTransaction(deps.pool, async (tx) => {
    const run = await lockRun(tx, input.agentRunId);
    const call = await findToolCall(tx, run.id, input.toolCallId);
    if (!call) throw new Error(`no tool call ${input.toolCallId} in ${run.id}`);
    if (call.outcome !== null) return { settled: true };
    if (isClosed(run.status)) return { settled: false };
    const { approvalId, kind, expiresAtMs, approvers = 1 } = input.approval;
    const { definition } = await deps.agents.of(tx, run);
    const assignee = kind === 'client' ? null : (definition.approvals.assignee ?? null);
    const question = questionOf(definition, call, kind);
    const expiresAt = new Date(expiresAtMs);
    const code = await insertApproval(tx, {
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
      expiresAt,
      approvers,
      assignee,
      provenance: kind === 'approval' ? (call.decision?.provenance ?? null) : null,
      ...question,
    });
    if (code === undefined) return { settled: false, ...(await decidedBefore(tx, approvalId)) };
    const waiting = await waitForPeople(tx, run);
    const { rule, reason } = question;
    await appendEvents(tx, run, [
      {
        type: kind === 'client' ? 'client.requested' : 'approval.requested',
        actor: systemActor(kind === 'outcome' || kind === 'client' ? deps.workerId : 'policy'),
        step: call.step,
        toolCallId: call.id,
        data: {
          approvalId,
          kind,
          tool: call.tool,
          rule,
          reason,
          argumentsDigest: call.argumentsDigest,
          expiresAt: expiresAt.toISOString(),
          code,
          ...(approvers > 1 ? { approvers } : {}),
          ...(assignee === null ? {} : { assignee }),
        },
      },
      { type: 'run.waiting', actor: systemActor('worker'), step: call.step, data: { ...waiting } },
    ]);
    return { settled: false };
  });
}

async function decidedBefore(tx: PoolClient, approvalId: string): Promise<Pick<AskedQuestion, 'decided'>> {
  const approval = await findApproval(tx, approvalId);
  return approval && approval.status !== 'pending' ? { decided: recordedDecision(approval) } : {};
}

/** What a decided approval means for its call. */
export const recordedDecision = (approval: ApprovalRow): RecordedDecision => ({
  next: approval.grantedDigest === null ? 'settled' : 'execute',
  status: approval.status,
});

function questionOf(
  { approvals }: AgentDefinition,
  call: ToolCallRow,
  kind: PendingApproval['kind'],
): Pick<NewApproval, 'rule' | 'reason' | 'onExpiry' | 'round'> {
  const { rule, reason } = call;
  switch (kind) {
    case 'approval':
      return { rule, reason, onExpiry: approvals.onExpiry, round: 1 };
    case 'input':
      return { rule, reason, onExpiry: 'reject', round: 1 };
    case 'client':
      return { rule, reason: 'the caller executes this tool', onExpiry: 'tell', round: 1 };
    case 'outcome':
      return { rule: 'unknown-outcome', reason: call.doubt ?? '', onExpiry: 'tell', round: call.doubts };
  }
}

/** Sets the run waiting for whoever is still asked or has a call to execute, or running when nobody is. */
export async function waitForPeople(tx: PoolClient, run: RunRow): Promise<Waiting | undefined> {
  const pending = await pendingApprovals(tx, run.id);
  const [first] = pending;
  if (!first) {
    await setRunRunning(tx, run.id);
    return undefined;
  }
  const asked = pending.filter((a) => a.kind !== 'client');
  const byClient = pending.filter((a) => a.kind === 'client');
  const waiting: Waiting = {
    for: asked.length === 0 ? 'client' : asked.every((a) => a.kind === 'input') ? 'input' : 'approval',
    since: first.requestedAt.toISOString(),
    until: new Date(Math.min(...pending.map((a) => a.expiresAt.getTime()))).toISOString(),
    ...(asked.length === 0 ? {} : { approvalIds: asked.map((a) => a.id) }),
    ...(byClient.length === 0 ? {} : { toolCallIds: byClient.map((a) => a.toolCallId) }),
    ...reasonOf(pending),
  };
  await setRunStatus(tx, run.id, 'waiting', waiting);
  return waiting;
}

function reasonOf(pending: readonly ApprovalRow[]): { reason?: string } {
  const doubtful = [...new Set(pending.flatMap((a) => (a.kind === 'outcome' ? [a.tool] : [])))];
  return doubtful.length === 0 ? {} : { reason: `nobody knows whether ${doubtful.join(', ')} happened` };
}
