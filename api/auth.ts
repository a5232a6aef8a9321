// Who is calling: API keys by their hash, and which role a route needs.
import { randomBytes } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Actor } from '../contracts/events.js';
import { type KeyRow, type Role, findActiveKey, insertKey } from '../db/keys.js';
import type { Queryable } from '../db/pool.js';
import { asTenant } from '../db/tenantPool.js';
import { sha256Hex } from '../harness/canonical.js';
import { newKeyId } from '../harness/ids.js';
import { Problem } from './errors.js';

declare module 'fastify' {
  interface FastifyRequest {
    key: KeyRow;
  }
  interface FastifyContextConfig {
    /** `none`: open to everybody. Every key may read, so `viewer` is what a route needs at least. */
    role?: Role | 'none';
  }
}

/** A revoked key may still be let in for this long, in milliseconds. */
const CACHE_MS = 5000;
const MAX_CACHED = 10_000;

export function requireKeys(app: FastifyInstance, db: Queryable): void {
  const cache = new Map<string, { key: KeyRow | undefined; until: number }>();

  const lookUp = async (token: string): Promise<KeyRow | undefined> => {
    const hash = sha256Hex(token);
    const cached = cache.get(hash);
    if (cached && cached.until > performance.now()) return cached.key;
    const key = await findActiveKey(db, hash);
    if (cache.size >= MAX_CACHED) cache.clear();
    if (key) cache.set(hash, { key, until: performance.now() + CACHE_MS });
    return key;
  };

  app.decorateRequest('key', null as unknown as KeyRow);
  app.addHook('onRequest', async (request) => {
    const role = request.routeOptions.config.role ?? 'viewer';
    if (role === 'none' || request.is404) return;
    const token = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    const key = token === undefined ? undefined : await lookUp(token);
    if (!key) {
      const detail = token === undefined ? 'Send Authorization: Bearer <api key>.' : 'The key is unknown or revoked.';
      throw new Problem('unauthenticated', detail, { headers: { 'www-authenticate': 'Bearer' } });
    }
    if (!mayDo(key, role)) {
      throw new Problem('forbidden', `This needs the role ${role}; the key ${key.name} has ${key.roles.join(', ')}.`);
    }
    request.key = key;
  });
  // The last hook before the route, because reading a body loses the asynchronous context.
  app.addHook('preHandler', (request, _reply, done) => {
    if (request.key === null) done();
    else asTenant(request.key.tenantId, done);
  });
}

export const mayDo = (key: KeyRow, role: Role): boolean =>
  role === 'viewer' || key.roles.includes('admin') || key.roles.includes(role);

export const actorOf = (request: FastifyRequest): Actor => ({ kind: 'key', id: request.key.id });

export const newKey = (): string => `lh_${randomBytes(24).toString('base64url')}`;

/** The first admin key: from the environment, the same at every start. */
export async function ensureAdminKey(db: Queryable, adminKey: string): Promise<void> {
  await insertKey(db, {
    id: newKeyId(),
    tenantId: 'default',
    name: 'admin',
    roles: ['admin'],
    keyHash: sha256Hex(adminKey),
  });
}
