// Undo: what of a run can be taken back, and a person's approval to do it.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { undo as undoShape, undoBody } from '../../contracts/undo.js';
import { actorOf } from '../auth.js';
import { checkSeparation } from '../decideApproval.js';
import type { ApiDeps } from '../deps.js';
import { approveUndo, renderUndo } from '../undoRun.js';
import { requireRun, runParams } from './runs.js';

export const undoRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      '/runs/:id/undo',
      {
        schema: {
          summary: 'What of a run can be taken back, what cannot, and how far the last undo is',
          tags: ['Runs'],
          params: runParams,
          response: { 200: undoShape },
        },
      },
      async (request) => renderUndo(deps.pool, await requireRun(deps, request, request.params.id)),
    );

    app.post(
      '/runs/:id/undo',
      {
        config: { role: 'approver' },
        schema: {
          summary: 'Approve the plan with this digest: its calls are taken back, the latest first',
          tags: ['Runs'],
          params: runParams,
          body: undoBody,
          response: { 202: undoShape },
        },
      },
      async (request, reply) => {
        const run = await requireRun(deps, request, request.params.id);
        await checkSeparation(deps, request.key, run);
        await approveUndo(deps, run.id, request.body.planDigest, actorOf(request));
        return reply.code(202).send(await renderUndo(deps.pool, run));
      },
    );
  };
