// How often calls may be made: by a tenant, by an agent, to a model, of a tool.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { rateBody, rateScope, rateShape } from '../../contracts/limits.js';
import { deleteRate, listRates, putRate } from '../../db/rates.js';
import { actorOf } from '../auth.js';
import type { ApiDeps } from '../deps.js';
import { Problem, notFound } from '../errors.js';
import { wakeRuns } from '../wakeRuns.js';

const params = z.object({ scope: rateScope, subject: z.string().min(1).max(200) });

export const rateRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      '/rates',
      {
        schema: {
          summary: 'All rates: those set here, and those that agent files declare',
          tags: ['Limits'],
          response: { 200: z.object({ data: z.array(rateShape), nextCursor: z.null() }) },
        },
      },
      async (request) => ({ data: await listRates(deps.pool, request.key.tenantId), nextCursor: null }),
    );

    app.put(
      '/rates/:scope/:subject',
      {
        config: { role: 'admin' },
        schema: { summary: 'Set a rate', tags: ['Limits'], params, body: rateBody, response: { 200: rateShape } },
      },
      async (request) => {
        const { scope, subject } = request.params;
        if (scope === 'tenant' && subject !== 'all') {
          const detail = 'The rate of the tenant is tenant/all.';
          throw new Problem('invalid-request', detail, { errors: [{ path: 'params.subject', message: detail }] });
        }
        const { rate, burst = 1 } = request.body;
        await putRate(deps.pool, request.key.tenantId, { scope, subject, rate, burst }, actorOf(request));
        await wakeRuns(deps, request.key.tenantId);
        return { scope, subject, rate, burst, declared: false };
      },
    );

    app.delete(
      '/rates/:scope/:subject',
      {
        config: { role: 'admin' },
        schema: { summary: 'Remove a rate that was set here', tags: ['Limits'], params, response: { 204: z.null() } },
      },
      async (request, reply) => {
        const { scope, subject } = request.params;
        if (!(await deleteRate(deps.pool, request.key.tenantId, request.params))) {
          throw notFound(`rate ${scope}/${subject} that was set here`);
        }
        await wakeRuns(deps, request.key.tenantId);
        return reply.code(204).send(null);
      },
    );
  };
