// The result of a call that the caller has executed: stored, then taken by the run. Given twice, it is taken once.
import type { ApprovalDecision } from '../contracts/agentRun.js';
import type { ToolResultBody } from '../contracts/clientCalls.js';
import type { Actor } from '../contracts/events.js';
import { type ApprovalRow, findApproval } from '../db/approvals.js';
import { putContent } from '../db/contents.js';
import { withTransaction } from '../db/pool.js';
import type { RunRow } from '../db/runs.js';
import { sha256Hex } from '../harness/canonical.js';
import { clientCallIdOf } from '../harness/ids.js';
import type { ApiDeps } from './deps.js';
import { Problem, notFound } from './errors.js';
import { updateProblem } from './routes/runControl.js';

/** The row of the wait, once the run has the result. Throws a Problem when it is not taken. */
export async function returnToolResult(
  deps: ApiDeps,
  run: RunRow,
  by: Actor,
  { toolCallId, content, isError }: ToolResultBody,
): Promise<ApprovalRow> {
  const id = toolCallId.includes('\0') ? '' : clientCallIdOf(run.id, toolCallId);
  const row = await findApproval(deps.pool, id);
  if (!row) throw notFound(`call ${toolCallId} of ${run.id} that waits for a client; GET …/client-calls lists them`);
  const text = JSON.stringify(content);
  const given: Given = { decision: isError ? 'failed' : 'succeeded', messageHash: sha256Hex(text) };
  if (row.status !== 'pending') return sameResult(row, given);

  await withTransaction(deps.pool, (tx) => putContent(tx, run.id, text));
  const decision: ApprovalDecision = { approvalId: row.id, by, argumentsDigest: row.argumentsDigest, ...given };
  // The same result again, while the first is being taken, is the same update.
  const updateId = `${row.id}:${given.decision}:${given.messageHash}`;
  const answer = await deps.workflows.decideApproval(run.id, decision, updateId);
  const now = (await findApproval(deps.pool, row.id)) as ApprovalRow;
  if (now.status !== 'pending') return sameResult(now, given);
  throw await updateProblem(deps, run.id, answer.ok ? 'NoWorker' : answer.why, 'return the result');
}

type Given = Required<Pick<ApprovalDecision, 'messageHash'>> & { decision: 'succeeded' | 'failed' };

/** A caller that did not hear the answer gives its result again and is answered as before. */
function sameResult(row: ApprovalRow, given: Given): ApprovalRow {
  if (row.decision === given.decision && row.messageHash === given.messageHash) return row;
  const why = {
    expired: `No result came until ${row.expiresAt.toISOString()}, and the model was told so.`,
    cancelled: 'The run ended before the result came.',
  }[row.status as string];
  throw new Problem('already-returned', why ?? 'Another result was returned first, and the run goes on with it.');
}
