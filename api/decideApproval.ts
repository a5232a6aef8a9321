// One decision of a person: checked against the question, its contents stored, taken by the run.
import { randomUUID } from 'node:crypto';
import type { ApprovalDecision } from '../contracts/agentRun.js';
import type { DecisionBody } from '../contracts/approvals.js';
import { decisionsOf } from '../contracts/decisions.js';
import type { Actor } from '../contracts/events.js';
import { findAgentVersion } from '../db/agents.js';
import { type ApprovalRow, findApproval } from '../db/approvals.js';
import { putContent } from '../db/contents.js';
import type { KeyRow } from '../db/keys.js';
import { withTransaction } from '../db/pool.js';
import { type RunRow, findRun } from '../db/runs.js';
import { canonicalJson, digestOf, sha256Hex } from '../harness/canonical.js';
import { checkEdit } from '../harness/policy/checkEdit.js';
import { findTenantPolicy } from '../db/tenantPolicies.js';
import { compilePolicy } from '../harness/policy/compilePolicy.js';
import { policyFacts } from '../harness/policy/policyFacts.js';
import type { ApiDeps } from './deps.js';
import { Problem } from './errors.js';
import { renderApproval } from './renderApproval.js';
import { updateProblem } from './routes/runControl.js';

export interface Decider {
  key: KeyRow;
  /** Of the request; of one among several, made different for each. */
  idempotencyKey: string | undefined;
}

/** The approval as it is once the run has taken the decision. Throws a Problem when it is not taken. */
export async function decideApproval(
  deps: ApiDeps,
  { key, idempotencyKey }: Decider,
  row: ApprovalRow,
  body: DecisionBody,
): Promise<ApprovalRow> {
  const by: Actor = { kind: 'key', id: key.id };
  if (row.status !== 'pending') {
    // A caller that did not hear the answer asks again with its key, and is answered as before.
    if (idempotencyKey !== undefined && isThisDecision(row, body, by)) return row;
    throw await alreadyDecided(deps, row);
  }
  const known = [row.argumentsDigest, ...row.votes.map((vote) => vote.digest)];
  if (!known.includes(body.argumentsDigest)) throw otherDigest(row);
  if (!decisionsOf[row.kind].includes(body.decision)) throw notTaken(row);
  const run = (await findRun(deps.pool, row.runId)) as RunRow;
  await checkSeparation(deps, key, run);
  if (body.decision === 'edit') await requireFit(deps, run, row, body.arguments ?? {});

  const stored = await storeContents(deps, run.id, body);
  const decision: ApprovalDecision = {
    approvalId: row.id,
    decision: body.decision,
    argumentsDigest: body.argumentsDigest,
    by,
    scope: body.scope,
    ...stored,
  };
  // Not the approval's id: an opposite decision under one update id would be answered with the first one's result.
  const updateId = `${row.id}:${idempotencyKey ?? randomUUID()}`;
  const answer = await deps.workflows.decideApproval(run.id, decision, updateId);
  if (answer.ok) return (await findApproval(deps.pool, row.id)) as ApprovalRow;
  const now = (await findApproval(deps.pool, row.id)) as ApprovalRow;
  if (answer.why === 'ApprovalDigestMismatch') throw otherDigest(row);
  if (answer.why === 'DecisionNotTaken') throw notTaken(row);
  if (answer.why === 'AlreadyVoted') throw alreadyVoted(row);
  // Taken after all, though whoever took it died before the answer.
  if (now.status !== 'pending' && idempotencyKey !== undefined && isThisDecision(now, body, by)) return now;
  if (answer.why === 'ApprovalNotPending' || now.status !== 'pending') throw await alreadyDecided(deps, now);
  throw await updateProblem(deps, run.id, answer.why, 'decide it');
}

function isThisDecision(row: ApprovalRow, body: DecisionBody, by: Actor): boolean {
  const said = body.result === undefined ? body.message : body.result;
  const isSame = (actor: Actor | null): boolean => actor?.kind === by.kind && actor.id === by.id;
  // One grant of several: it counted, whoever completed them.
  if (row.votes.some((v) => isSame(v.by) && v.decision === body.decision && v.digest === body.argumentsDigest))
    return true;
  return (
    row.decision === body.decision &&
    isSame(row.decidedBy) &&
    row.argumentsDigest === body.argumentsDigest &&
    row.scope === body.scope &&
    row.messageHash === (said === undefined ? null : sha256Hex(JSON.stringify(said))) &&
    row.editedHash === (body.arguments === undefined ? null : digestOf(body.arguments))
  );
}

const otherDigest = (row: ApprovalRow): Problem =>
  new Problem(
    'digest-mismatch',
    `The arguments shown have the digest ${row.argumentsDigest}. Look at the approval again before you decide.`,
    {
      errors: [{ path: 'argumentsDigest', message: 'is not the one of this approval' }],
    },
  );

const alreadyVoted = ({ approvers, votes }: ApprovalRow): Problem =>
  new Problem('already-voted', `${votes.length} of ${approvers} have approved, this key among them; another has to.`);

const asked: Record<ApprovalRow['kind'], string> = {
  approval: 'The question whether a call may run',
  input: 'A question to a person',
  outcome: 'The question what became of a call',
  client: 'A call that the caller executes',
};

const notTaken = ({ kind }: ApprovalRow): Problem => {
  const detail = `${asked[kind]} takes ${decisionsOf[kind].join(', ').replace(/, (?=[^,]*$)/, ' or ')}.`;
  return new Problem('decision-not-taken', detail, { errors: [{ path: 'decision', message: 'is not taken here' }] });
};

async function alreadyDecided({ pool }: ApiDeps, row: ApprovalRow): Promise<Problem> {
  const approval = await renderApproval(pool, row);
  const who = row.decidedBy === null ? '' : ` by ${row.decidedBy.kind} ${row.decidedBy.id}`;
  return new Problem('already-decided', `The approval is ${row.status}${who}; the first decision stands.`, {
    members: { approval },
  });
}

export async function checkSeparation({ pool }: ApiDeps, key: KeyRow, run: RunRow): Promise<void> {
  const agent = await findAgentVersion(pool, run.tenantId, run.agentName, run.agentVersion);
  if (agent?.definition.approvals.separationOfDuty && run.createdBy.id === key.id) {
    throw new Problem(
      'separation-of-duty',
      'This agent wants another key to decide than the one that started the run.',
    );
  }
}

/** Edited arguments pass what the model's own had to pass. */
async function requireFit(deps: ApiDeps, run: RunRow, row: ApprovalRow, args: Record<string, unknown>): Promise<void> {
  const agent = await findAgentVersion(deps.pool, run.tenantId, run.agentName, run.agentVersion);
  const tenant = await findTenantPolicy(deps.pool, run.tenantId);
  const compiled = agent && compilePolicy(agent.definition, run.tools, tenant?.policy);
  if (!compiled?.ok) throw new Error(`the policy of ${run.agentName} does not compile`);
  const { policy } = compiled;
  const check = checkEdit(row.tool, args, { tools: run.tools, policy, facts: policyFacts(run) });
  if (check.ok) return;
  const { message } = check;
  throw new Problem('edited-arguments-refused', message, { errors: [{ path: 'arguments', message }] });
}

/** Contents go into the database, never through Temporal. */
async function storeContents(
  { pool }: ApiDeps,
  runId: string,
  body: DecisionBody,
): Promise<Pick<ApprovalDecision, 'messageHash' | 'editedHash'>> {
  const { arguments: edited } = body;
  const message = body.result === undefined ? body.message : body.result;
  if (message === undefined && edited === undefined) return {};
  return withTransaction(pool, async (tx) => ({
    ...(message === undefined ? {} : { messageHash: await putContent(tx, runId, JSON.stringify(message)) }),
    ...(edited === undefined ? {} : { editedHash: await putContent(tx, runId, canonicalJson(edited)) }),
  }));
}
