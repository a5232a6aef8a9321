// Questions on which several people must agree: counts their grants until enough of them want the same to run.
import type { ApprovalDecision, ApprovalVote, PendingApproval } from '../contracts/agentRun.js';
import { grants } from '../contracts/decisions.js';

/** Which arguments this grant is for: those shown, edited ones, or those that somebody else edited and that it names. */
const digestOf = (approval: PendingApproval, d: ApprovalDecision): string =>
  (d.decision === 'edit' ? d.editedHash : d.argumentsDigest) ?? approval.argumentsDigest;

const isSame = (a: ApprovalVote['by'], b: ApprovalVote['by']): boolean => a.kind === b.kind && a.id === b.id;

const needed = ({ approvers = 1 }: PendingApproval): number => approvers;

export const needsMore = (approval: PendingApproval, d: ApprovalDecision): boolean =>
  needed(approval) > 1 && grants.includes(d.decision);

/** Digests that a decision may name: of what was shown, and of what others have made of it. */
export const knownDigests = ({ argumentsDigest, votes = [] }: PendingApproval): string[] => [
  argumentsDigest,
  ...votes.map((vote) => vote.digest),
];

export const hasVoted = (approval: PendingApproval, d: ApprovalDecision): boolean =>
  needsMore(approval, d) &&
  (approval.votes ?? []).some((vote) => isSame(vote.by, d.by) && vote.digest === digestOf(approval, d));

/** The decision that this grant completes, or undefined while more people are needed. Keeps the grant. */
export function afterVote(approval: PendingApproval, d: ApprovalDecision): ApprovalDecision | undefined {
  const digest = digestOf(approval, d);
  const others = (approval.votes ?? []).filter((vote) => !isSame(vote.by, d.by));
  approval.votes = [...others, { by: d.by, digest, ...(d.scope === 'run' ? { run: true as const } : {}) }];
  const voters = approval.votes.filter((vote) => vote.digest === digest);
  if (voters.length < needed(approval)) return undefined;
  const scope = voters.every((vote) => vote.run) ? 'run' : 'once';
  const decided = digest === approval.argumentsDigest ? d : { ...d, decision: 'edit' as const, editedHash: digest };
  return { ...decided, scope, voters };
}
