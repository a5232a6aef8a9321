// The inbox of questions to people, and their answers, one by one or many at once.
import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  approvalKind,
  approval as approvalShape,
  approvalStatus,
  decisionBody,
  decisionsBody,
  decisionsResult,
} from '../../contracts/approvals.js';
import { type ApprovalRow, findApproval, findApprovalByCode, listApprovals } from '../../db/approvals.js';
import { page, pageQuery, readCursor } from '../cursor.js';
import { decideApproval } from '../decideApproval.js';
import { decideMany } from '../decideMany.js';
import type { ApiDeps } from '../deps.js';
import { notFound } from '../errors.js';
import { renderApproval } from '../renderApproval.js';

const params = z.object({ id: z.string() });
const idempotencyHeader = z.object({ 'idempotency-key': z.string().min(1).max(255).optional() });

export const approvalRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      '/approvals',
      {
        schema: {
          summary: 'The inbox, oldest first',
          tags: ['Approvals'],
          querystring: z.strictObject({
            ...pageQuery,
            status: approvalStatus.optional(),
            kind: approvalKind.optional(),
            runId: z.string().optional(),
            assignee: z.string().optional(),
            /** Id or code: those of the same agent, kind, tool and rule. */
            like: z.string().optional(),
          }),
          response: { 200: z.object({ data: z.array(approvalShape), nextCursor: z.string().nullable() }) },
        },
      },
      async (request) => {
        const { limit, cursor, like, ...filter } = request.query;
        const after = readCursor(cursor);
        const listed = await listApprovals(deps.pool, request.key.tenantId, {
          ...filter,
          like: like === undefined ? undefined : (await requireApproval(deps, request, like)).id,
          after: after && { requestedAt: after.time, id: after.id },
          limit: limit + 1,
        });
        const { rows, nextCursor } = page(listed, limit);
        return { data: await Promise.all(rows.map((row) => renderApproval(deps.pool, row))), nextCursor };
      },
    );

    app.get(
      '/approvals/:id',
      {
        schema: {
          summary: 'One approval, by id or by its code',
          tags: ['Approvals'],
          params,
          response: { 200: approvalShape },
        },
      },
      async (request) => renderApproval(deps.pool, await requireApproval(deps, request, request.params.id)),
    );

    app.post(
      '/approvals/:id/decision',
      {
        config: { role: 'approver', secrets: 'refuse' },
        schema: {
          summary: 'Decide; 200 when the run has taken it',
          tags: ['Approvals'],
          params,
          headers: idempotencyHeader,
          body: decisionBody,
          response: { 200: approvalShape },
        },
      },
      async (request) => {
        const row = await requireApproval(deps, request, request.params.id);
        const by = { key: request.key, idempotencyKey: request.headers['idempotency-key'] };
        return renderApproval(deps.pool, await decideApproval(deps, by, row, request.body));
      },
    );

    app.post(
      '/approvals/decisions',
      {
        config: { role: 'approver', secrets: 'refuse' },
        schema: {
          summary: 'Decide many at once; each is taken or refused by itself',
          tags: ['Approvals'],
          headers: idempotencyHeader,
          body: decisionsBody,
          response: { 200: decisionsResult },
        },
      },
      async (request) => {
        const by = { key: request.key, idempotencyKey: request.headers['idempotency-key'] };
        return decideMany(deps, by, request.body, (id) => requireApproval(deps, request, id));
      },
    );
  };

const isCode = (text: string): boolean => /^[0-9A-Za-z]{4,12}$/.test(text);

async function requireApproval({ pool }: ApiDeps, request: FastifyRequest, id: string): Promise<ApprovalRow> {
  const { tenantId } = request.key;
  const found = isCode(id)
    ? await findApprovalByCode(pool, tenantId, id.toUpperCase())
    : id.includes('\0')
      ? undefined
      : await findApproval(pool, id);
  if (found?.tenantId !== tenantId) throw notFound(`approval ${id}`);
  return found;
}
