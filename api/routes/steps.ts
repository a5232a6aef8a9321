// What the model was shown, decided, called and got back, step by step; and the exact request of a step.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ContentErased, readConversation } from '../../activities/conversation.js';
import { type Step, step as stepShape } from '../../contracts/steps.js';
import { findAgentVersion } from '../../db/agents.js';
import { getContents } from '../../db/contents.js';
import { type ModelCallRow, findModelCalls, listModelCalls } from '../../db/modelCalls.js';
import type { RunRow } from '../../db/runs.js';
import { type ToolCallRow, listToolCalls } from '../../db/toolCalls.js';
import { sha256Hex } from '../../harness/canonical.js';
import { headHash, requestHead, requestText } from '../../harness/context/buildRequest.js';
import { usdOf } from '../../harness/limits/money.js';
import { pageQuery } from '../cursor.js';
import type { ApiDeps } from '../deps.js';
import { Problem, notFound } from '../errors.js';
import { requireRun, runParams } from './runs.js';

export const stepRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const stepParams = runParams.extend({ n: z.coerce.number().int().min(1).max(2_147_483_647) });

    app.get(
      '/runs/:id/steps',
      {
        schema: {
          summary: 'Steps in order, without contents',
          tags: ['Runs'],
          params: runParams,
          querystring: z.strictObject({ limit: pageQuery.limit, after: z.coerce.number().int().min(0).default(0) }),
          response: { 200: z.object({ data: z.array(stepShape), nextAfter: z.number().nullable() }) },
        },
      },
      async (request) => {
        const { id } = await requireRun(deps, request, request.params.id);
        const { limit, after } = request.query;
        const calls = await listModelCalls(deps.pool, id, after, limit + 1);
        const shown = calls.slice(0, limit);
        const first = shown[0]?.step ?? 0;
        const last = shown.at(-1)?.step ?? 0;
        const toolCalls = await listToolCalls(deps.pool, id, first, last);
        const data = shown.map((call) =>
          renderStep(
            call,
            toolCalls.filter((t) => t.step === call.step),
          ),
        );
        return { data, nextAfter: calls.length > limit ? last : null };
      },
    );

    app.get(
      '/runs/:id/steps/:n',
      {
        schema: {
          summary: 'One step with its contents',
          tags: ['Runs'],
          params: stepParams,
          response: { 200: stepShape },
        },
      },
      async (request) => {
        const { id } = await requireRun(deps, request, request.params.id);
        return stepWithContents(deps, id, request.params.n);
      },
    );

    app.get(
      '/runs/:id/steps/:n/request',
      { schema: { summary: 'The exact request of a step, rebuilt from the log', tags: ['Runs'], params: stepParams } },
      async (request, reply) => {
        const run = await requireRun(deps, request, request.params.id);
        const text = await rebuildRequest(deps, run, request.params.n);
        const digest = Buffer.from(sha256Hex(text), 'hex').toString('base64');
        return reply
          .type('application/json')
          .header('content-digest', `sha-256=:${digest}:`)
          .serializer((body) => body as string)
          .send(text);
      },
    );
  };

function renderStep(call: ModelCallRow, toolCalls: readonly ToolCallRow[]): Step {
  const { inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens } = call;
  return {
    step: call.step,
    model: call.model,
    attempts: call.attempts,
    stopReason: call.stopReason,
    shown: call.shown,
    requestHash: call.requestHash,
    usage: { inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens },
    costUsd: usdOf(call.costNanoUsd),
    requestedAt: call.requestedAt.toISOString(),
    durationMs: msBetween(call.requestedAt, call.repliedAt),
    toolCalls: toolCalls.map((t) => ({
      toolCallId: t.id,
      tool: t.tool,
      summary: t.summary,
      effect: t.effect,
      verdict: t.verdict,
      rule: t.rule,
      reason: t.reason,
      argumentsDigest: t.argumentsDigest,
      ...(t.decision === null ? {} : { decision: t.decision }),
      outcome: t.outcome,
      isError: t.isError,
      attempts: t.attempts,
      durationMs: msBetween(t.claimedAt, t.returnedAt),
      ...(t.doubt === null ? {} : { doubt: t.doubt }),
      ...(t.lateOutcome === null ? {} : { lateOutcome: t.lateOutcome }),
    })),
  };
}

const msBetween = (from: Date | null, to: Date | null): number | null =>
  from === null || to === null ? null : to.getTime() - from.getTime();

async function stepWithContents({ pool }: ApiDeps, id: string, n: number): Promise<Step> {
  const call = (await findModelCalls(pool, id, n)).find((row) => row.step === n);
  if (!call) throw notFound(`step ${n} of run ${id}`);
  const toolCalls = await listToolCalls(pool, id, n, n);
  const hashes = [call.replyHash, ...toolCalls.flatMap((t) => [t.argumentsHash, t.resultHash, t.lateResultHash])];
  const contents = await getContents(
    pool,
    id,
    hashes.filter((h) => h !== null),
  );
  const json = (hash: string | null): unknown => {
    const bytes = hash === null ? undefined : contents.get(hash);
    return bytes === undefined ? null : JSON.parse(bytes.toString('utf8'));
  };
  const step = renderStep(call, toolCalls);
  return {
    ...step,
    reply: json(call.replyHash),
    toolCalls: step.toolCalls.map((t, i) => ({
      ...t,
      arguments: json(toolCalls[i]?.argumentsHash ?? null),
      result: json(toolCalls[i]?.resultHash ?? null),
      ...(t.lateOutcome === undefined ? {} : { lateResult: json(toolCalls[i]?.lateResultHash ?? null) }),
    })),
  };
}

async function rebuildRequest({ pool }: ApiDeps, run: RunRow, n: number): Promise<string> {
  const call = (await findModelCalls(pool, run.id, n)).find((row) => row.step === n);
  const agent = await findAgentVersion(pool, run.tenantId, run.agentName, run.agentVersion);
  if (!call || !agent) throw notFound(`step ${n} of run ${run.id}`);
  const head = requestHead(agent.definition, run.tools);
  try {
    const conversation = await readConversation(pool, run.id, headHash(head));
    // Everything before this step's reply.
    const shown = conversation.filter((m) => m.step < n || (m.step === n && m.role === 'user'));
    return requestText(head, shown);
  } catch (err) {
    if (err instanceof ContentErased) throw new Problem('content-erased', 'The content of this run was erased.');
    throw err;
  }
}
