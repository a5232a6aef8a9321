// The answer to a question, stored once, and what it means for the call: it runs, or it is settled without.
import type { ApprovalDecision, RecordedDecision, ToolCallInput } from '../contracts/agentRun.js';
import { statusOfDecision } from '../contracts/approvals.js';
import type { EventType } from '../contracts/events.js';
import { type ApprovalRow, type StoredVote, decideApproval, findApproval } from '../db/approvals.js';
import { getJsonContent, putContent } from '../db/contents.js';
import { appendEvents } from '../db/events.js';
import { type PoolClient, withTransaction } from '../db/pool.js';
import { type RunRow, lockRun } from '../db/runs.js';
import { type ToolCallRow, findToolCall, setToolCallArguments } from '../db/toolCalls.js';
import { keptBlocks, resultOf } from '../tools/result.js';
import { notReturned } from './clientCall.js';
import type { Deps } from './deps.js';
import { settle } from './recordToolResult.js';
import { recordedDecision, waitForPeople } from './requestApproval.js';

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
    if (approval.status !== 'pending') return recordedDecision(approval);
    // A late result has answered while the person did: what really happened stands. Without one, none withdraws.
    const { decision } = input;
    const moot = call.outcome !== null;
    const d =
      moot === (decision.decision === 'withdraw')
        ? decision
        : { ...withoutAnswer(decision), decision: moot ? ('withdraw' as const) : ('expire' as const) };
    await record(tx, run, call, approval, d);
    await waitForPeople(tx, run);
    return recordedDecision((await findApproval(tx, approval.id)) as ApprovalRow);
  });
}

const withoutAnswer = ({ approvalId, by }: ApprovalDecision) => ({ approvalId, by });

async function record(
  tx: PoolClient,
  run: RunRow,
  call: ToolCallRow,
  approval: ApprovalRow,
  d: ApprovalDecision,
): Promise<void> {
  const messageHash = await storeMessage(tx, run.id, d);
  const granted = grantedDigest(approval, d);
  await decideApproval(tx, approval.id, {
    status: statusOfDecision[d.decision],
    decision: d.decision,
    decidedBy: d.by,
    scope: d.scope ?? 'once',
    messageHash,
    editedHash: d.editedHash ?? null,
    grantedDigest: granted,
    votes: votesOf(approval, d),
  });
  if (d.decision === 'edit' && d.editedHash !== undefined) {
    // The content's hash is the digest: both are the SHA-256 of the canonical arguments.
    await setToolCallArguments(tx, run.id, call.id, { argumentsHash: d.editedHash, argumentsDigest: d.editedHash });
  }
  await appendEvents(tx, run, [
    {
      type: eventTypeOf(approval.kind, d.decision),
      actor: d.by,
      step: call.step,
      toolCallId: call.id,
      data: {
        approvalId: approval.id,
        kind: approval.kind,
        tool: call.tool,
        decision: d.decision,
        argumentsDigest: approval.argumentsDigest,
        ...(granted === null ? {} : { grantedDigest: granted }),
        ...(messageHash === null ? {} : { messageHash }),
        ...(d.scope === 'run' ? { scope: 'run' } : {}),
        ...(d.voters === undefined ? {} : { voters: d.voters.map((vote) => vote.by) }),
        ...(d.decision === 'expire' ? { onExpiry: approval.onExpiry } : {}),
      },
    },
  ]);
  if (granted === null && d.decision !== 'withdraw') await settleUnapproved(tx, run, call, approval, d, messageHash);
}

/** Of those who voted one by one it is known when; a grant that the decision overtook came with it. */
function votesOf(approval: ApprovalRow, d: ApprovalDecision): StoredVote[] | undefined {
  return d.voters?.map(({ by, digest }) => {
    const stored = approval.votes.find((v) => v.by.kind === by.kind && v.by.id === by.id && v.digest === digest);
    return stored ?? { by, digest, at: new Date().toISOString(), decision: d.decision };
  });
}

function eventTypeOf(kind: ApprovalRow['kind'], decision: ApprovalDecision['decision']): EventType {
  if (kind === 'client') return decision === 'expire' ? 'client.expired' : 'client.returned';
  if (decision === 'expire') return 'approval.expired';
  return decision === 'withdraw' ? 'approval.withdrawn' : 'approval.decided';
}

/** A message of a signal is stored here; one that came over REST was stored by the API. */
async function storeMessage(tx: PoolClient, agentRunId: string, d: ApprovalDecision): Promise<string | null> {
  const given = d.result === undefined ? d.messageText : d.result;
  if (d.messageHash !== undefined || given === undefined) return d.messageHash ?? null;
  return putContent(tx, agentRunId, JSON.stringify(given));
}

/** The digest of the arguments that may run now, or null when nothing may. */
function grantedDigest(approval: ApprovalRow, d: ApprovalDecision): string | null {
  switch (d.decision) {
    case 'approve':
    case 'not_happened':
      return approval.argumentsDigest;
    case 'edit':
      return d.editedHash ?? null;
    case 'expire':
      return approval.onExpiry === 'approve' ? approval.argumentsDigest : null;
    case 'reject':
    case 'respond':
    case 'succeeded':
    case 'failed':
    case 'unknown':
    case 'withdraw':
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
  const message = messageHash === null ? undefined : await getJsonContent(tx, run.id, messageHash);
  const said =
    message === undefined ? '' : ` They said: ${typeof message === 'string' ? message : JSON.stringify(message)}`;
  if (d.decision === 'respond' || d.decision === 'succeeded' || d.decision === 'failed') {
    const { content, isError } = keptBlocks(resultOf(message));
    // A client says of itself whether it failed; its result may not be one that can be kept.
    const failed = d.decision === 'failed' || (approval.kind === 'client' && isError);
    await settle(tx, run, call, { outcome: failed ? 'failed' : 'succeeded', content, isError: failed, actor: d.by });
    return;
  }
  if (approval.kind === 'client') {
    await settle(tx, run, call, { ...notReturned(call), actor: d.by });
    return;
  }
  if (approval.kind === 'outcome') {
    const asked = d.decision === 'expire' ? 'A person was asked and did not answer in time.' : 'A person was asked.';
    const text = `${approval.reason} ${asked}${said} It was not run again. Check before you repeat it.`;
    await settle(tx, run, call, { outcome: 'unknown', text, actor: d.by });
    return;
  }
  const asked = approval.kind === 'input' ? 'The question' : 'The call';
  const text =
    d.decision === 'expire'
      ? `${asked} expired without an answer. Nothing was executed.`
      : `${asked} was refused by a person. Nothing was executed.${said} Do not ask for the same again.`;
  await settle(tx, run, call, { outcome: 'rejected', text, actor: d.by });
}
