// One grant of several that a question needs. The one that completes them is stored with the decision.
import type { ApprovalDecision } from '../contracts/agentRun.js';
import { addVote, findApproval } from '../db/approvals.js';
import { appendEvents } from '../db/events.js';
import { withTransaction } from '../db/pool.js';
import { lockRun } from '../db/runs.js';
import type { Deps } from './deps.js';

export interface RecordVoteInput {
  agentRunId: string;
  decision: ApprovalDecision;
}

/** Nothing when the question is decided meanwhile: the decision names everybody whose grant counted. */
export async function recordVote(deps: Deps, { agentRunId, decision: d }: RecordVoteInput): Promise<void> {
  await withTransaction(deps.pool, async (tx) => {
    const run = await lockRun(tx, agentRunId);
    const approval = await findApproval(tx, d.approvalId);
    if (approval?.status !== 'pending') return;
    const digest = (d.decision === 'edit' ? d.editedHash : d.argumentsDigest) ?? approval.argumentsDigest;
    const isSame = (vote: { by: typeof d.by }) => vote.by.kind === d.by.kind && vote.by.id === d.by.id;
    if (approval.votes.some((vote) => isSame(vote) && vote.digest === digest)) return; // a second attempt
    const vote = { by: d.by, at: new Date().toISOString(), decision: d.decision, digest };
    const votes = [...approval.votes.filter((earlier) => !isSame(earlier)), vote];
    await addVote(tx, approval.id, votes);
    await appendEvents(tx, run, [
      {
        type: 'approval.voted',
        actor: d.by,
        step: approval.step,
        toolCallId: approval.toolCallId,
        data: {
          approvalId: approval.id,
          kind: approval.kind,
          tool: approval.tool,
          decision: d.decision,
          argumentsDigest: approval.argumentsDigest,
          grantedDigest: digest,
          votes: votes.filter((v) => v.digest === digest).length,
          approvers: approval.approvers,
          ...(d.messageHash === undefined ? {} : { messageHash: d.messageHash }),
        },
      },
    ]);
  });
}
