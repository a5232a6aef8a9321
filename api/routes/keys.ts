// API keys: made, listed, revoked.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type KeyRow, insertKey, listKeys, revokeKey } from '../../db/keys.js';
import { sha256Hex } from '../../harness/canonical.js';
import { newKeyId } from '../../harness/ids.js';
import { newKey } from '../auth.js';
import type { ApiDeps } from '../deps.js';
import { notFound } from '../errors.js';

const role = z.enum(['viewer', 'operator', 'approver', 'admin']);
const keyShape = z.object({
  id: z.string(),
  name: z.string(),
  roles: z.array(role),
  createdAt: z.iso.datetime(),
  revokedAt: z.iso.datetime().optional(),
});

const render = (row: KeyRow): z.infer<typeof keyShape> => ({
  id: row.id,
  name: row.name,
  roles: row.roles,
  createdAt: row.createdAt.toISOString(),
  ...(row.revokedAt === null ? {} : { revokedAt: row.revokedAt.toISOString() }),
});

export const keyRoutes =
  ({ pool }: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    app.post(
      '/keys',
      {
        config: { role: 'admin' },
        schema: {
          summary: 'Make a key; it is shown this once',
          tags: ['Keys'],
          body: z.strictObject({
            name: z
              .string()
              .min(1)
              .max(100)
              .regex(/^\P{Cc}+$/u, 'no control characters'),
            roles: z.array(role).min(1),
          }),
          response: { 201: keyShape.extend({ key: z.string() }) },
        },
      },
      async (request, reply) => {
        const key = newKey();
        const { name, roles } = request.body;
        const row = await insertKey(pool, {
          id: newKeyId(),
          tenantId: request.key.tenantId,
          name,
          roles: [...new Set(roles)],
          keyHash: sha256Hex(key),
        });
        return reply.code(201).send({ ...render(row as KeyRow), key });
      },
    );

    app.get(
      '/keys',
      {
        config: { role: 'admin' },
        schema: { summary: 'All keys', tags: ['Keys'], response: { 200: z.object({ data: z.array(keyShape) }) } },
      },
      async (request) => ({ data: (await listKeys(pool, request.key.tenantId)).map(render) }),
    );

    app.delete(
      '/keys/:id',
      {
        config: { role: 'admin' },
        schema: {
          summary: 'Revoke a key; it stops working within 5 seconds',
          tags: ['Keys'],
          params: z.object({ id: z.string() }),
          response: { 200: keyShape },
        },
      },
      async (request) => {
        const row = await revokeKey(pool, request.key.tenantId, request.params.id.replaceAll('\0', ''));
        if (!row) throw notFound(`key ${request.params.id}`);
        return render(row);
      },
    );
  };
