// Is the process alive, and is everything there that it needs?
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { liveWorkers } from '../../db/workers.js';
import type { ApiDeps } from '../deps.js';

const readiness = z.object({
  status: z.enum(['ready', 'not ready']),
  missing: z.array(z.string()),
  workers: z.number().nullable(),
});

export const healthRoutes =
  ({ pool, workflows }: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      '/healthz',
      {
        config: { role: 'none' },
        schema: { summary: 'The process', tags: ['Health'], response: { 200: z.object({ status: z.literal('ok') }) } },
      },
      async () => ({ status: 'ok' as const }),
    );

    app.get(
      '/readyz',
      {
        config: { role: 'none' },
        schema: {
          summary: 'The process with PostgreSQL and Temporal; missing ones by name',
          tags: ['Health'],
          response: { 200: readiness, 503: readiness },
        },
      },
      async (_request, reply) => {
        const [workers, temporal] = await Promise.all([liveWorkers(pool).catch(() => null), workflows.isReachable()]);
        const missing = [...(workers === null ? ['PostgreSQL'] : []), ...(temporal ? [] : ['Temporal'])];
        const status = missing.length === 0 ? ('ready' as const) : ('not ready' as const);
        return reply.code(missing.length === 0 ? 200 : 503).send({ status, missing, workers });
      },
    );
  };
