// Starting runs and reading them.
import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type StartRunBody, isClosed, run as runShape, runStatus, startRunBody } from '../../contracts/agentRun.js';
import type { ContentBlock, InputContent } from '../../contracts/conversation.js';
import { GENESIS_HASH, type NewEvent } from '../../contracts/events.js';
import { findAgentVersion } from '../../db/agents.js';
import { openTreeBudget } from '../../db/budgets.js';
import { putContent } from '../../db/contents.js';
import { appendEvents } from '../../db/events.js';
import { queueMessage } from '../../db/messages.js';
import { atCommit, withTransaction } from '../../db/pool.js';
import { type RunRow, findRun, findRunByIdempotencyKey, insertRun, listRuns, lockRun } from '../../db/runs.js';
import { listToolsForAgents } from '../../db/workers.js';
import { resolveTools } from '../../harness/agents/resolveTools.js';
import { digestOf, sha256Hex } from '../../harness/canonical.js';
import { newMessageId, newRunId } from '../../harness/ids.js';
import { usdOf } from '../../harness/limits/money.js';
import { compilePolicy } from '../../harness/policy/compilePolicy.js';
import { limitsOfNewRun } from '../../harness/runControl.js';
import { actorOf } from '../auth.js';
import { page, pageQuery, readCursor } from '../cursor.js';
import type { ApiDeps } from '../deps.js';
import { Problem, notFound } from '../errors.js';
import { MAX_AHEAD_MS, checkedLimits } from '../limits.js';
import { outputOf, renderRun, renderWholeRun } from '../render.js';
import { tryStartWorkflow } from '../runStarter.js';

export const runParams = z.object({ id: z.string() });

/** The run, if it is of the caller's tenant. */
export async function requireRun({ pool }: ApiDeps, request: FastifyRequest, id: string): Promise<RunRow> {
  const run = id.includes('\0') ? undefined : await findRun(pool, id);
  if (!run || run.tenantId !== request.key.tenantId) throw notFound(`run ${id}`);
  return run;
}

/** Repeating a request with its key changes nothing and is answered as before. */
export const idempotencyHeader = z.object({ 'idempotency-key': z.string().min(1).max(255).optional() });

const listQuery = z.looseObject({
  ...pageQuery,
  status: runStatus.optional(),
  agent: z.string().optional(),
  createdAfter: z.iso.datetime({ offset: true }).optional(),
  createdBefore: z.iso.datetime({ offset: true }).optional(),
});

export const runRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    app.post(
      '/runs',
      {
        config: { role: 'operator' },
        schema: {
          summary: 'Start a run',
          tags: ['Runs'],
          headers: idempotencyHeader,
          body: startRunBody,
          response: { 200: runShape, 201: runShape },
        },
      },
      async (request, reply) => {
        const { run, created } = await startRun(deps, request, request.body, request.headers['idempotency-key']);
        return reply.code(created ? 201 : 200).send(renderRun(run, deps.links, await outputOf(deps.pool, run)));
      },
    );

    app.get(
      '/runs/:id',
      { schema: { summary: 'Read a run', tags: ['Runs'], params: runParams, response: { 200: runShape } } },
      async (request) => {
        const run = await requireRun(deps, request, request.params.id);
        return renderWholeRun(deps.pool, run, deps.links);
      },
    );

    app.get(
      '/runs',
      {
        schema: {
          summary: 'List runs, newest first; metadata.KEY=VALUE filters by metadata',
          tags: ['Runs'],
          querystring: listQuery,
          response: { 200: z.object({ data: z.array(runShape), nextCursor: z.string().nullable() }) },
        },
      },
      async (request) => {
        const { status, agent, createdAfter, createdBefore, limit, cursor, ...rest } = request.query;
        const after = readCursor(cursor);
        const listed = await listRuns(deps.pool, request.key.tenantId, {
          status,
          agent,
          createdAfter: createdAfter === undefined ? undefined : new Date(createdAfter),
          createdBefore: createdBefore === undefined ? undefined : new Date(createdBefore),
          metadata: metadataFilter(rest),
          after: after && { createdAt: after.time, id: after.id },
          limit: limit + 1,
        });
        const { rows, nextCursor } = page(listed, limit);
        return { data: rows.map((row) => renderRun(row, deps.links)), nextCursor };
      },
    );
  };

function metadataFilter(query: Record<string, unknown>): Record<string, string> | undefined {
  const pairs = Object.entries(query).map(([name, value]): [string, string] => {
    if (!name.startsWith('metadata.') || typeof value !== 'string' || value.includes('\0')) {
      const detail = `${name} is not a filter. There are status, agent, createdAfter, createdBefore, metadata.KEY, limit, cursor.`;
      throw new Problem('invalid-request', detail, { errors: [{ path: name, message: 'unknown filter' }] });
    }
    return [name.slice('metadata.'.length), value];
  });
  return pairs.length === 0 ? undefined : Object.fromEntries(pairs);
}

async function startRun(
  deps: ApiDeps,
  request: FastifyRequest,
  body: StartRunBody,
  idempotencyKey: string | undefined,
): Promise<{ run: RunRow; created: boolean }> {
  const { tenantId } = request.key;
  const requestHash = digestOf(body);
  if (idempotencyKey !== undefined) {
    const winner = await findRunByIdempotencyKey(deps.pool, tenantId, idempotencyKey);
    if (winner) return { run: sameRequest(winner, requestHash), created: false };
  }
  const planned = await planRun(deps, request, body);
  const id = newRunId();
  const by = actorOf(request);
  const inserted = await withTransaction(deps.pool, async (tx) => {
    const run = await insertRun(tx, {
      ...planned.row,
      id,
      tenantId,
      createdBy: by,
      idempotencyKey: idempotencyKey ?? null,
      requestHash,
      lastHash: GENESIS_HASH,
    });
    if (!run) return undefined;
    const { rootRunId } = planned.row;
    if (rootRunId !== null) {
      await lockRun(tx, rootRunId); // what is being charged to it now is in the sum, or comes after it
      await openTreeBudget(tx, rootRunId);
    }
    const input = JSON.stringify(blocksOf(body.input));
    const inputHash = sha256Hex(input);
    const messageId = newMessageId();
    const events: NewEvent[] = [
      {
        type: 'run.created',
        actor: by,
        data: {
          agent: run.agentName,
          agentVersion: run.agentVersion,
          toolsHash: digestOf(run.tools),
          inputHash,
          limits: {
            maxSteps: run.maxSteps,
            maxTokens: run.maxTokens,
            maxCostUsd: usdOf(run.maxCostNanoUsd),
            maxToolCalls: run.maxToolCalls,
            deadline: run.deadline.toISOString(),
          },
        },
      },
      { type: 'message.queued', actor: by, data: { messageId, contentHash: inputHash } },
    ];
    atCommit(
      tx,
      putContent(tx, id, input),
      queueMessage(tx, { id: messageId, agentRunId: id, contentHash: inputHash }),
      appendEvents(tx, run, events),
    );
    return run;
  });
  if (!inserted) {
    // Another request with this key was first; its transaction is committed, or we would have waited for it.
    const winner = await findRunByIdempotencyKey(deps.pool, tenantId, idempotencyKey as string);
    if (!winner) throw new Error('the run that holds the idempotency key is gone');
    return { run: sameRequest(winner, requestHash), created: false };
  }
  await tryStartWorkflow(deps, inserted, planned.agent);
  return { run: (await findRun(deps.pool, id)) ?? inserted, created: true };
}

function sameRequest(winner: RunRow, requestHash: string): RunRow {
  if (winner.requestHash === requestHash) return winner;
  throw new Problem(
    'idempotency-conflict',
    `This Idempotency-Key started ${winner.id} with another body. Use a new key for a new run.`,
    { members: { runId: winner.id } },
  );
}

async function planRun(deps: ApiDeps, request: FastifyRequest, body: StartRunBody) {
  const [name, version] = body.agent.split('@') as [string, string | undefined];
  const [agent, { offered, refused }] = await Promise.all([
    findAgentVersion(deps.pool, request.key.tenantId, name, version),
    listToolsForAgents(deps.pool),
  ]);
  if (!agent) {
    const detail = `There is no agent ${body.agent}. GET /v1/agents lists them; PUT /v1/agents/${name} stores one.`;
    throw new Problem('unknown-agent', detail, { errors: [{ path: 'agent', message: 'unknown' }] });
  }
  const resolved = resolveTools(agent.definition, offered, refused);
  if (!resolved.ok) {
    const detail = `Agent ${name} cannot run: ${resolved.errors.map((e) => e.message).join('; ')}`;
    throw new Problem('invalid-agent', detail, { errors: resolved.errors });
  }
  const policy = compilePolicy(agent.definition, resolved.tools);
  if (!policy.ok) {
    // Its tools have changed since it was stored.
    const detail = `The rules of agent ${name} no longer fit its tools: ${policy.errors.map((e) => e.message).join('; ')}`;
    throw new Problem('invalid-agent', detail, { errors: policy.errors });
  }
  const parent = body.parentRunId === undefined ? undefined : await requireRun(deps, request, body.parentRunId);
  const startAt = body.startAt === undefined ? null : new Date(body.startAt);
  const from = Math.max(Date.now(), startAt?.getTime() ?? 0);
  if (from > Date.now() + MAX_AHEAD_MS) {
    throw new Problem('invalid-request', 'startAt must lie within ten years.', {
      errors: [{ path: 'startAt', message: 'must lie within ten years' }],
    });
  }
  const own = limitsOfNewRun(agent.definition, body.limits, from);
  // A run within another one that goes on ends no later than that.
  const inherits = parent && !isClosed(parent.status) && parent.deadline < own.deadline;
  const limits = checkedLimits(inherits ? { ...own, deadline: parent.deadline } : own, from);
  return {
    agent: agent.definition,
    row: {
      agentName: agent.name,
      agentVersion: agent.version,
      tools: resolved.tools,
      metadata: body.metadata ?? {},
      parentRunId: parent?.id ?? null,
      rootRunId: parent ? (parent.rootRunId ?? parent.id) : null,
      startAt,
      ...limits,
    },
  };
}

/** A text is one block; the rest is as the Messages API takes it. */
export const blocksOf = (content: InputContent): ContentBlock[] =>
  typeof content === 'string' ? [{ type: 'text', text: content }] : content;
