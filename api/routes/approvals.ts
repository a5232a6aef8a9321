// The inbox of questions to people, and their answers.
import { randomUUID } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { ApprovalDecision } from '../../contracts/agentRun.js';
import type { Actor } from '../../contracts/events.js';
import {
  type DecisionBody,
  approval as approvalShape,
  approvalKind,
  approvalStatus,
  decisionBody,
} from '../../contracts/approvals.js';
import { decisionsOf } from '../../contracts/decisions.js';
import { findAgentVersion } from '../../db/agents.js';
import { type ApprovalRow, findApproval, listApprovals } from '../../db/approvals.js';
import { putContent } from '../../db/contents.js';
import { withTransaction } from '../../db/pool.js';
import { type RunRow, findRun } from '../../db/runs.js';
import { canonicalJson, digestOf, sha256Hex } from '../../harness/canonical.js';
import { checkArguments } from '../../harness/policy/checkArguments.js';
import { compilePolicy } from '../../harness/policy/compilePolicy.js';
import { actorOf } from '../auth.js';
import { page, pageQuery, readCursor } from '../cursor.js';
import type { ApiDeps } from '../deps.js';
import { Problem, notFound } from '../errors.js';
import { renderApproval } from '../render.js';
import { updateProblem } from './runControl.js';

const params = z.object({ id: z.string() });

export const approvalRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      '/approvals',
      {
        schema: {
          summary: 'The inbox, oldest first',
          tags: ['Approvals'],
          querystring: z.strictObject({
            ...pageQuery,
            status: approvalStatus.optional(),
            kind: approvalKind.optional(),
            runId: z.string().optional(),
          }),
          response: { 200: z.object({ data: z.array(approvalShape), nextCursor: z.string().nullable() }) },
        },
      },
      async (request) => {
        const { status, kind, runId, limit, cursor } = request.query;
        const after = readCursor(cursor);
        const listed = await listApprovals(deps.pool, request.key.tenantId, {
          status,
          kind,
          runId,
          after: after && { requestedAt: after.time, id: after.id },
          limit: limit + 1,
        });
        const { rows, nextCursor } = page(listed, limit);
        return { data: await Promise.all(rows.map((row) => renderApproval(deps.pool, row))), nextCursor };
      },
    );

    app.get(
      '/approvals/:id',
      { schema: { summary: 'One approval', tags: ['Approvals'], params, response: { 200: approvalShape } } },
      async (request) => renderApproval(deps.pool, await requireApproval(deps, request, request.params.id)),
    );

    app.post(
      '/approvals/:id/decision',
      {
        config: { role: 'approver' },
        schema: {
          summary: 'Decide; 200 when the run has taken it',
          tags: ['Approvals'],
          params,
          headers: z.object({ 'idempotency-key': z.string().min(1).max(255).optional() }),
          body: decisionBody,
          response: { 200: approvalShape },
        },
      },
      async (request) => {
        const row = await requireApproval(deps, request, request.params.id);
        const decided = await decide(deps, request, row, request.body, request.headers['idempotency-key']);
        return renderApproval(deps.pool, decided);
      },
    );
  };

async function requireApproval({ pool }: ApiDeps, request: FastifyRequest, id: string): Promise<ApprovalRow> {
  const row = id.includes('\0') ? undefined : await findApproval(pool, id);
  if (!row || row.tenantId !== request.key.tenantId) throw notFound(`approval ${id}`);
  return row;
}

async function decide(
  deps: ApiDeps,
  request: FastifyRequest,
  row: ApprovalRow,
  body: DecisionBody,
  idempotencyKey: string | undefined,
): Promise<ApprovalRow> {
  if (row.status !== 'pending') {
    // A caller that did not hear the answer asks again with its key, and is answered as before.
    if (idempotencyKey !== undefined && isThisDecision(row, body, actorOf(request))) return row;
    throw await alreadyDecided(deps, row);
  }
  if (body.argumentsDigest !== row.argumentsDigest) throw otherDigest(row);
  if (!decisionsOf[row.kind].includes(body.decision)) throw notTaken(row);
  const run = (await findRun(deps.pool, row.runId)) as RunRow;
  await checkSeparation(deps, request, run);
  if (body.decision === 'edit') await checkEdit(deps, run, row, body.arguments ?? {});

  const stored = await storeContents(deps, run.id, body);
  const decision: ApprovalDecision = {
    approvalId: row.id,
    decision: body.decision,
    argumentsDigest: body.argumentsDigest,
    by: actorOf(request),
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
  if (answer.why === 'ApprovalNotPending' || now.status !== 'pending') throw await alreadyDecided(deps, now);
  throw await updateProblem(deps, run.id, answer.why, 'decide it');
}

function isThisDecision(row: ApprovalRow, body: DecisionBody, by: Actor): boolean {
  const said = body.result === undefined ? body.message : body.result;
  return (
    row.decision === body.decision &&
    row.decidedBy?.kind === by.kind &&
    row.decidedBy.id === by.id &&
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

const asked: Record<ApprovalRow['kind'], string> = {
  approval: 'The question whether a call may run',
  input: 'A question to a person',
  outcome: 'The question what became of a call',
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

async function checkSeparation({ pool }: ApiDeps, request: FastifyRequest, run: RunRow): Promise<void> {
  const agent = await findAgentVersion(pool, run.tenantId, run.agentName, run.agentVersion);
  if (agent?.definition.approvals.separationOfDuty && run.createdBy.id === request.key.id) {
    throw new Problem(
      'separation-of-duty',
      'This agent wants another key to decide than the one that started the run.',
    );
  }
}

/** Edited arguments pass what the model's own had to pass. */
async function checkEdit(deps: ApiDeps, run: RunRow, row: ApprovalRow, args: Record<string, unknown>): Promise<void> {
  const refuse = (message: string): Problem =>
    new Problem('edited-arguments-refused', message, { errors: [{ path: 'arguments', message }] });
  const tool = run.tools.find((t) => t.name === row.tool);
  if (!tool) throw refuse(`The run has no tool ${row.tool}.`);
  const check = checkArguments(tool, args);
  if (!check.ok) throw refuse(check.message);
  const agent = await findAgentVersion(deps.pool, run.tenantId, run.agentName, run.agentVersion);
  const compiled = agent && compilePolicy(agent.definition, run.tools);
  if (!compiled?.ok) throw new Error(`the policy of ${run.agentName} does not compile`);
  const verdict = compiled.policy.judge(tool, args, {
    agent: run.agentName,
    tenant: run.tenantId,
    now: new Date(),
    run: { steps: run.steps, toolCalls: run.toolCalls, costUsd: run.costNanoUsd / 1e9, metadata: run.metadata },
  });
  if (verdict.verdict === 'reject') throw refuse(`Rule ${verdict.rule} refuses it: ${verdict.reason}`);
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
