// Calls that the caller executes: those that wait, and the way back for their results.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type ClientCall, clientCall, toolResultAnswer, toolResultBody } from '../../contracts/clientCalls.js';
import { type ApprovalRow, pendingApprovals } from '../../db/approvals.js';
import { getContents } from '../../db/contents.js';
import { idempotencyKeyOf } from '../../harness/ids.js';
import { actorOf } from '../auth.js';
import type { ApiDeps } from '../deps.js';
import { returnToolResult } from '../returnToolResult.js';
import { requireRun, runParams } from './runs.js';

export const clientCallRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      '/runs/:id/client-calls',
      {
        schema: {
          summary: 'Tool calls that wait for the caller to execute them, oldest first',
          tags: ['Runs'],
          params: runParams,
          response: { 200: z.object({ data: z.array(clientCall) }) },
        },
      },
      async (request) => {
        const { id } = await requireRun(deps, request, request.params.id);
        const rows = (await pendingApprovals(deps.pool, id)).filter((row) => row.kind === 'client');
        const hashes = rows.map((row) => row.argumentsHash);
        const contents = await getContents(deps.pool, id, hashes);
        return { data: rows.map((row) => render(row, contents)) };
      },
    );

    app.post(
      '/runs/:id/tool-results',
      {
        config: { role: 'operator' },
        schema: {
          summary: 'Return the result of a call that the caller has executed; the same again changes nothing',
          tags: ['Runs'],
          params: runParams,
          body: toolResultBody,
          response: { 200: toolResultAnswer },
        },
      },
      async (request) => {
        const run = await requireRun(deps, request, request.params.id);
        const row = await returnToolResult(deps, run, actorOf(request), request.body);
        return { toolCallId: row.toolCallId, outcome: outcomeOf(row) };
      },
    );
  };

const outcomeOf = ({ decision }: ApprovalRow): 'succeeded' | 'failed' =>
  decision === 'failed' ? 'failed' : 'succeeded';

function render(row: ApprovalRow, contents: ReadonlyMap<string, Buffer>): ClientCall {
  const bytes = contents.get(row.argumentsHash);
  return {
    toolCallId: row.toolCallId,
    runId: row.runId,
    step: row.step,
    tool: row.tool,
    effect: row.effect,
    arguments: bytes === undefined ? null : JSON.parse(bytes.toString('utf8')),
    argumentsDigest: row.argumentsDigest,
    idempotencyKey: idempotencyKeyOf(row.runId, row.toolCallId),
    requestedAt: row.requestedAt.toISOString(),
    expiresAt: row.expiresAt.toISOString(),
  };
}
