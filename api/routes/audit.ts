// The audit: is the log whole and unchanged, its checkpoints, and all of it as lines for elsewhere.
import { Readable } from 'node:stream';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { auditReport, checkpoint } from '../../contracts/audit.js';
import { readCheckpoints } from '../../db/checkpoints.js';
import { eachAsTenant } from '../../db/tenantPool.js';
import type { ApiDeps } from '../deps.js';
import { exportAudit, verifyAudit } from '../readAudit.js';
import { signHeads } from '../signHeads.js';
import { requireRun } from './runs.js';

const oneRun = z.strictObject({ runId: z.string().max(200).optional() });

export const auditRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      '/audit/verify',
      {
        config: { role: 'admin' },
        schema: {
          summary: 'Check every event and checkpoint; the first bad event of each run is named',
          tags: ['Audit'],
          querystring: oneRun,
          response: { 200: auditReport },
        },
      },
      async (request) => {
        const { runId } = request.query;
        if (runId !== undefined) await requireRun(deps, request, runId);
        return verifyAudit(deps, { tenantId: request.key.tenantId, runId });
      },
    );

    app.get(
      '/audit/checkpoints',
      {
        config: { role: 'admin' },
        schema: {
          summary: 'Signed checkpoints in order',
          tags: ['Audit'],
          querystring: z.strictObject({
            after: z.coerce.number().int().min(0).max(2_147_483_647).default(0),
            limit: z.coerce.number().int().min(1).max(200).default(50),
          }),
          response: { 200: z.object({ data: z.array(checkpoint), nextAfter: z.number().nullable() }) },
        },
      },
      async (request) => {
        const { after, limit } = request.query;
        const page = await readCheckpoints(deps.pool, request.key.tenantId, after, limit + 1);
        const data = page.slice(0, limit);
        return { data, nextAfter: page.length > limit ? (data.at(-1)?.number ?? null) : null };
      },
    );

    app.get(
      '/audit/export',
      {
        config: { role: 'admin' },
        exposeHeadRoute: false,
        schema: {
          summary: 'The audit as JSON lines, signed, without content; `longhaul audit verify FILE` checks it offline',
          tags: ['Audit'],
          querystring: oneRun,
        },
      },
      async (request, reply) => {
        const { tenantId } = request.key;
        const { runId } = request.query;
        if (runId !== undefined) await requireRun(deps, request, runId);
        await signHeads(deps, tenantId, { all: true });
        const day = new Date().toISOString().slice(0, 10);
        return reply
          .type('application/x-ndjson')
          .header('content-disposition', `attachment; filename="longhaul-audit-${runId ?? day}.ndjson"`)
          .send(Readable.from(eachAsTenant(tenantId, exportAudit(deps, { tenantId, runId }))));
      },
    );
  };
