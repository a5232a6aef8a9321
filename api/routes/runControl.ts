// Steering a run: messages, cancel, pause, resume, erase.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type LimitsBody, isClosed, limitsBody, run as runShape } from '../../contracts/agentRun.js';
import { inputContent } from '../../contracts/conversation.js';
import { setTreeLimits } from '../../db/budgets.js';
import { eraseContents, putContent } from '../../db/contents.js';
import { appendEvents } from '../../db/events.js';
import { findQueuedMessage, queueMessage } from '../../db/messages.js';
import { type PoolClient, withTransaction } from '../../db/pool.js';
import { type RunRow, findRun, lockRun, reopenRun, setCancelRequested, setRunLimits } from '../../db/runs.js';
import { lastUndo } from '../../db/undos.js';
import { liveWorkers } from '../../db/workers.js';
import { sha256Hex } from '../../harness/canonical.js';
import { messageIdOf, newMessageId } from '../../harness/ids.js';
import { type LimitRow, applyLimits, controlLimitsOf } from '../../harness/runControl.js';
import { actorOf } from '../auth.js';
import type { ApiDeps } from '../deps.js';
import { Problem } from '../errors.js';
import { checkedLimits } from '../limits.js';
import { renderRun } from '../render.js';
import { tryStartWorkflow } from '../runStarter.js';
import type { UpdateFailure } from '../temporal.js';
import { wakeRuns } from '../wakeRuns.js';
import { blocksOf, idempotencyHeader, requireRun, runParams } from './runs.js';

const closed = (run: RunRow): Problem =>
  new Problem(
    'run-closed',
    `The run is ${run.status}; it takes no more of this.${resumable(run) ? ' POST …/resume reopens it.' : ''}`,
  );

const otherMessage = (): Problem =>
  new Problem(
    'idempotency-conflict',
    'This Idempotency-Key sent another message to this run. Use a new key for a new message.',
  );

const resumable = (run: RunRow): boolean => run.status === 'stopped' || run.status === 'failed';

/** An update that was not carried out, as a problem. `retry` names what to repeat. */
export async function updateProblem(
  deps: ApiDeps,
  runId: string,
  why: UpdateFailure['why'],
  retry: string,
): Promise<Problem> {
  const run = await findRun(deps.pool, runId);
  if (run && isClosed(run.status)) return closed(run);
  const workers = await liveWorkers(deps.pool);
  const state = workers === 0 ? 'No worker is alive.' : `${workers} worker(s) are alive, but none took it in time.`;
  return new Problem('no-worker', `${state} Nothing is lost: ${retry} again. (${why})`, {
    headers: { 'retry-after': '5' },
  });
}

export const runControlRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const current = async (id: string) => renderRun((await findRun(deps.pool, id)) as RunRow, deps.links);

    app.post(
      '/runs/:id/messages',
      {
        config: { role: 'operator' },
        schema: {
          summary: 'Send a message, shown to the model at its next step',
          tags: ['Runs'],
          params: runParams,
          headers: idempotencyHeader,
          body: z.strictObject({ content: inputContent }),
          response: { 202: z.object({ messageId: z.string(), disposition: z.literal('queued') }) },
        },
      },
      async (request, reply) => {
        const { id } = await requireRun(deps, request, request.params.id);
        const key = request.headers['idempotency-key'];
        const messageId = key === undefined ? newMessageId() : messageIdOf(id, key);
        await withTransaction(deps.pool, async (tx) => {
          const run = await lockRun(tx, id);
          const content = JSON.stringify(blocksOf(request.body.content));
          const sent = key === undefined ? undefined : await findQueuedMessage(tx, messageId);
          if (sent?.contentHash === sha256Hex(content)) return;
          if (sent) throw otherMessage();
          if (isClosed(run.status)) throw closed(run);
          const contentHash = await putContent(tx, id, content);
          await queueMessage(tx, { id: messageId, agentRunId: id, contentHash });
          const data = { messageId, contentHash };
          await appendEvents(tx, run, [{ type: 'message.queued', actor: actorOf(request), data }]);
        });
        return reply.code(202).send({ messageId, disposition: 'queued' as const });
      },
    );

    app.post(
      '/runs/:id/cancel',
      {
        config: { role: 'operator' },
        schema: {
          summary: 'Cancel a run',
          tags: ['Runs'],
          params: runParams,
          body: z.strictObject({ reason: z.string().max(1000).optional() }).nullish(),
          response: { 202: runShape },
        },
      },
      async (request, reply) => {
        const { id } = await requireRun(deps, request, request.params.id);
        const reason = request.body?.reason;
        await withTransaction(deps.pool, async (tx) => {
          const run = await lockRun(tx, id);
          if (run.status === 'cancelled') return;
          if (isClosed(run.status)) throw closed(run);
          await setCancelRequested(tx, id, { by: actorOf(request), ...(reason === undefined ? {} : { reason }) });
        });
        // Without a workflow yet: whoever starts it sees the request and cancels it.
        await deps.workflows.cancel(id);
        return reply.code(202).send(await current(id));
      },
    );

    app.post(
      '/runs/:id/pause',
      {
        config: { role: 'operator' },
        schema: {
          summary: 'Pause at the next step boundary',
          tags: ['Runs'],
          params: runParams,
          response: { 202: runShape },
        },
      },
      async (request, reply) => {
        const run = await requireRun(deps, request, request.params.id);
        if (isClosed(run.status)) throw closed(run);
        const answer = await deps.workflows.pause(run.id, request.key.id);
        if (!answer.ok) throw await updateProblem(deps, run.id, answer.why, 'pause it');
        return reply.code(202).send(await current(run.id));
      },
    );

    app.post(
      '/runs/:id/resume',
      {
        config: { role: 'operator' },
        schema: {
          summary: 'Resume a paused run, or a stopped or failed one, with limits raised',
          tags: ['Runs'],
          params: runParams,
          body: z.strictObject({ limits: limitsBody.optional() }).nullish(),
          response: { 202: runShape },
        },
      },
      async (request, reply) => {
        const run = await requireRun(deps, request, request.params.id);
        const asked = request.body?.limits ?? undefined;
        if (resumable(run)) await reopen(deps, request, run.id, asked);
        else if (isClosed(run.status))
          throw new Problem('run-not-resumable', `The run is ${run.status}; that is final.`);
        else {
          const limits = newLimits(run, asked);
          const answer = await deps.workflows.resume(run.id, request.key.id, controlLimitsOf(limits));
          if (!answer.ok && answer.why === 'RunNotPaused') {
            throw new Problem(
              'run-not-resumable',
              `The run is ${run.status} and not paused; there is nothing to resume.`,
            );
          }
          if (!answer.ok) throw await updateProblem(deps, run.id, answer.why, 'resume it');
          await withTransaction(deps.pool, async (tx) => {
            await setRunLimits(tx, run.id, limits);
            await noteTreeLimits(tx, run, limits);
          });
          await wakeRuns(deps, request.key.tenantId);
        }
        return reply.code(202).send(await current(run.id));
      },
    );

    app.delete(
      '/runs/:id',
      {
        config: { role: 'operator' },
        schema: {
          summary: 'Erase the content of an ended run; its events stay',
          tags: ['Runs'],
          params: runParams,
          response: { 204: z.null() },
        },
      },
      async (request, reply) => erase(deps, request, reply, request.params.id),
    );
  };

/** The limits of the run at the root of a tree are those of the tree. */
async function noteTreeLimits(tx: PoolClient, run: RunRow, limits: LimitRow): Promise<void> {
  if (run.rootRunId === null) await setTreeLimits(tx, run.id, limits);
}

async function reopen(
  deps: ApiDeps,
  request: FastifyRequest,
  id: string,
  asked: LimitsBody | undefined,
): Promise<void> {
  const reopened = await withTransaction(deps.pool, async (tx) => {
    const run = await lockRun(tx, id);
    if (!resumable(run)) throw new Problem('run-not-resumable', `The run is ${run.status} now.`);
    if (run.erasedAt !== null)
      throw new Problem('content-erased', 'The content of the run was erased; it cannot go on.');
    if ((await lastUndo(tx, id))?.finishedAt === null)
      throw new Problem('undo-running', 'The run is being undone; resume it when that is finished.');
    const limits = newLimits(run, asked);
    const exhausted = limitInTheWay({ ...run, ...limits });
    if (exhausted !== undefined) throw new Problem('run-not-resumable', exhausted);
    await reopenRun(tx, id, limits);
    await noteTreeLimits(tx, run, limits);
    await appendEvents(tx, run, [{ type: 'run.resumed', actor: actorOf(request), data: { after: run.status } }]);
    return { ...run, ...limits, cancelRequested: null, execution: run.execution + 1 };
  });
  await tryStartWorkflow(deps, reopened);
  await wakeRuns(deps, request.key.tenantId);
}

/** Checked only when the caller gave some: what is in the way of a resume is said by limitInTheWay. */
function newLimits(run: RunRow, asked: LimitsBody | undefined): LimitRow {
  const limits = applyLimits(run, asked, Date.now());
  return asked?.deadline === undefined && asked?.maxCostUsd === undefined ? limits : checkedLimits(limits, Date.now());
}

/** The limit that would stop the run at once, with the remedy. */
function limitInTheWay(run: RunRow): string | undefined {
  const tokens = run.inputTokens + run.outputTokens + run.cacheReadTokens + run.cacheWriteTokens;
  if (run.steps >= run.maxSteps) return `${run.steps} steps are used up; give limits.maxSteps above that.`;
  if (tokens >= run.maxTokens) return `${tokens} tokens are used up; give limits.maxTokens above that.`;
  if (run.costNanoUsd >= run.maxCostNanoUsd) return 'The money is used up; give a higher limits.maxCostUsd.';
  if (run.stopReason === 'limit_tool_calls' && run.toolCalls >= run.maxToolCalls) {
    return `${run.toolCalls} tool calls are used up; give limits.maxToolCalls above that.`;
  }
  if (run.deadline.getTime() <= Date.now()) return 'The deadline has passed; give limits.deadline, such as "1d".';
  return undefined;
}

async function erase(deps: ApiDeps, request: FastifyRequest, reply: FastifyReply, id: string): Promise<FastifyReply> {
  await requireRun(deps, request, id);
  await withTransaction(deps.pool, async (tx) => {
    const run = await lockRun(tx, id);
    if (!isClosed(run.status)) throw new Problem('run-closed', `The run is ${run.status}. Cancel it first.`);
    if (run.erasedAt !== null) return;
    const contents = await eraseContents(tx, id);
    await appendEvents(tx, run, [{ type: 'run.erased', actor: actorOf(request), data: { contents } }]);
  });
  return reply.code(204).send(null);
}
