// Until when a question may be answered, by how many, and when people are reminded of it.
import type { AgentDefinition } from '../contracts/agent.js';
import type { ApprovalNotice, PendingApproval } from '../contracts/agentRun.js';
import type { ApprovalKind } from '../contracts/decisions.js';
import { durationMs } from '../contracts/duration.js';

type Terms = Pick<PendingApproval, 'kind' | 'expiresAtMs' | 'approvers' | 'notices'>;

/** `fromMs`: when the question came up. */
export function termsOf({ approvals }: AgentDefinition, kind: ApprovalKind, fromMs: number): Terms {
  const { approvers = 1, remindAfter, escalateAfter } = approvals;
  const notices = [noticeOf('reminded', remindAfter, fromMs), noticeOf('escalated', escalateAfter, fromMs)]
    .flat()
    .toSorted((a, b) => a.atMs - b.atMs);
  return {
    kind,
    expiresAtMs: fromMs + durationMs(approvals.expiresAfter),
    // What a model wants to know, one person can answer.
    ...(approvers > 1 && kind !== 'input' ? { approvers } : {}),
    ...(notices.length === 0 ? {} : { notices }),
  };
}

const noticeOf = (notice: ApprovalNotice, after: string | undefined, fromMs: number) =>
  after === undefined ? [] : [{ notice, atMs: fromMs + durationMs(after) }];
