// The log of a run: pages of it, and the live stream.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { eventTypes, runEvent } from '../../contracts/events.js';
import { readEvents } from '../../db/events.js';
import type { ApiDeps } from '../deps.js';
import { Problem } from '../errors.js';
import { streamRun } from '../stream.js';
import { requireRun, runParams } from './runs.js';

const seq = z.coerce.number().int().min(0).max(2_147_483_647);

const types = z
  .string()
  .transform((text) => text.split(',').filter(Boolean))
  .refine((names) => names.every((name) => (eventTypes as readonly string[]).includes(name)), {
    message: `known types are ${eventTypes.join(', ')}`,
  });

export const eventRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      '/runs/:id/events',
      {
        schema: {
          summary: 'Events in order',
          tags: ['Runs'],
          params: runParams,
          querystring: z.strictObject({
            after: seq.default(0),
            limit: z.coerce.number().int().min(1).max(1000).default(200),
            types: types.optional(),
          }),
          response: { 200: z.object({ data: z.array(runEvent), nextAfter: z.number().nullable() }) },
        },
      },
      async (request) => {
        const { id } = await requireRun(deps, request, request.params.id);
        const { after, limit, types: wanted } = request.query;
        const events = await readEvents(deps.pool, id, after, limit + 1, wanted);
        const data = events.slice(0, limit);
        return { data, nextAfter: events.length > limit ? (data.at(-1)?.seq ?? null) : null };
      },
    );

    app.get(
      '/runs/:id/stream',
      {
        exposeHeadRoute: false,
        schema: {
          summary: 'Server-sent events: everything so far, then live, until the run has ended',
          tags: ['Runs'],
          params: runParams,
          querystring: z.strictObject({ after: seq.optional(), deltas: z.enum(['true', 'false']).default('false') }),
          headers: z.object({ 'last-event-id': z.string().optional() }),
        },
      },
      async (request, reply) => {
        const { id } = await requireRun(deps, request, request.params.id);
        const lastEventId = request.headers['last-event-id'];
        const resumed = lastEventId === undefined ? undefined : seq.safeParse(lastEventId);
        if (resumed && !resumed.success) {
          throw new Problem('invalid-request', 'Last-Event-ID must be the number of an event.', {
            errors: [{ path: 'headers.last-event-id', message: 'must be a number' }],
          });
        }
        const after = resumed?.data ?? request.query.after ?? 0;
        await streamRun(deps, request, reply, { agentRunId: id, after, deltas: request.query.deltas === 'true' });
      },
    );
  };
