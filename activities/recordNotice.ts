// A question that nobody answers: people are reminded of it, then it is somebody else's.
import type { ApprovalNotice } from '../contracts/agentRun.js';
import { systemActor } from '../contracts/events.js';
import { findApproval, markNotice } from '../db/approvals.js';
import { appendEvents } from '../db/events.js';
import { withTransaction } from '../db/pool.js';
import { lockRun } from '../db/runs.js';
import type { Deps } from './deps.js';

export interface RecordNoticeInput {
  agentRunId: string;
  approvalId: string;
  notice: ApprovalNotice;
}

export async function recordNotice(deps: Deps, { agentRunId, approvalId, notice }: RecordNoticeInput): Promise<void> {
  await withTransaction(deps.pool, async (tx) => {
    const run = await lockRun(tx, agentRunId);
    const approval = await findApproval(tx, approvalId);
    if (approval?.status !== 'pending') return;
    const { definition } = await deps.agents.of(tx, run);
    const to = notice === 'escalated' ? (definition.approvals.escalateTo ?? null) : null;
    if (!(await markNotice(tx, approvalId, notice, to))) return; // a second attempt
    await appendEvents(tx, run, [
      {
        type: `approval.${notice}`,
        actor: systemActor('timer'),
        step: approval.step,
        toolCallId: approval.toolCallId,
        data: {
          approvalId,
          kind: approval.kind,
          tool: approval.tool,
          argumentsDigest: approval.argumentsDigest,
          requestedAt: approval.requestedAt.toISOString(),
          expiresAt: approval.expiresAt.toISOString(),
          ...(to === null ? {} : { to }),
        },
      },
    ]);
  });
}
