// A question to a person as clients read it.
import type { Approval } from '../contracts/approvals.js';
import type { Decision } from '../contracts/decisions.js';
import type { ApprovalRow } from '../db/approvals.js';
import { getContents } from '../db/contents.js';
import type { Queryable } from '../db/pool.js';

export async function renderApproval(db: Queryable, row: ApprovalRow): Promise<Approval> {
  // A digest is the hash of the canonical arguments, so it names their content as well.
  const edits = row.votes.filter((vote) => vote.digest !== row.argumentsDigest).map((vote) => vote.digest);
  const hashes = [row.argumentsHash, row.messageHash, row.editedHash, ...edits].filter((hash) => hash !== null);
  const contents = await getContents(db, row.runId, hashes);
  const json = (hash: string | null): unknown => {
    const bytes = hash === null ? undefined : contents.get(hash);
    return bytes === undefined ? undefined : JSON.parse(bytes.toString('utf8'));
  };
  const message = json(row.messageHash);
  const { code, assignee, scope, provenance, decision, decidedBy } = row;
  return {
    id: row.id,
    ...(code === null ? {} : { code }),
    runId: row.runId,
    agent: row.agentName,
    step: row.step,
    toolCallId: row.toolCallId,
    kind: row.kind,
    tool: row.tool,
    effect: row.effect,
    arguments: json(row.argumentsHash) ?? null,
    argumentsDigest: row.argumentsDigest,
    reason: row.reason,
    rule: row.rule,
    requestedAt: row.requestedAt.toISOString(),
    expiresAt: row.expiresAt.toISOString(),
    onExpiry: row.onExpiry,
    status: row.status,
    approvers: row.approvers,
    votes: row.votes.map(({ by, at, digest, ...vote }) => ({
      by,
      at,
      decision: vote.decision as Decision,
      argumentsDigest: digest,
      ...(digest === row.argumentsDigest ? {} : { arguments: json(digest) }),
    })),
    ...(assignee === null ? {} : { assignee }),
    ...(provenance === null ? {} : { provenance }),
    ...(decision === null ? {} : { decision }),
    ...(decidedBy === null ? {} : { decidedBy }),
    ...(scope === null ? {} : { scope }),
    ...times(row),
    ...(row.editedHash === null ? {} : { editedArguments: json(row.editedHash) }),
    ...(message === undefined ? {} : typeof message === 'string' ? { message } : { result: message }),
  };
}

const times = ({ remindedAt, escalatedAt, decidedAt, spentAt }: ApprovalRow) => ({
  ...(remindedAt === null ? {} : { remindedAt: remindedAt.toISOString() }),
  ...(escalatedAt === null ? {} : { escalatedAt: escalatedAt.toISOString() }),
  ...(decidedAt === null ? {} : { decidedAt: decidedAt.toISOString() }),
  ...(spentAt === null ? {} : { spentAt: spentAt.toISOString() }),
});
