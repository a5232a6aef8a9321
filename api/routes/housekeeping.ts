// What the sweeps found last.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type SweepState, sweepState } from '../../contracts/housekeeping.js';
import { type SweepRow, listSweeps } from '../../db/sweeps.js';
import { catalogue } from '../../housekeeping/catalogue.js';
import type { ApiDeps } from '../deps.js';

export const housekeepingRoutes =
  ({ pool }: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      '/housekeeping',
      {
        config: { role: 'admin' },
        schema: {
          summary: 'What housekeeping does, and what it found last',
          tags: ['Housekeeping'],
          response: { 200: z.object({ data: z.array(sweepState) }) },
        },
      },
      async (request) => {
        const rows = await listSweeps(pool);
        const data = Object.entries(catalogue).flatMap(([name, { what, everyMs }]) => {
          const sweep: SweepState = { name, what, everySeconds: everyMs / 1000 };
          const own = rows.filter((row) => row.name === name);
          return own.length === 0 ? [sweep] : own.map((row) => ({ ...sweep, ...render(row, request.key.tenantId) }));
        });
        return { data };
      },
    );
  };

/** Findings about runs of other tenants are counted and not told. */
function render(row: SweepRow, tenantId: string): Partial<SweepState> {
  const findings = (row.findings ?? []).filter((f) => f.tenantId === null || f.tenantId === tenantId);
  return {
    ...(row.place === '' ? {} : { host: row.place }),
    lastRunAt: row.lastRunAt.toISOString(),
    tookMs: row.tookMs,
    ...(row.error === null ? {} : { error: row.error }),
    ...(row.foundAt === null
      ? {}
      : {
          lastFound: { at: row.foundAt.toISOString(), count: row.found ?? 0, findings: findings.map((f) => f.text) },
        }),
  };
}
