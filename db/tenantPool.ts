// Connections that see the rows of one tenant: row-level security (migrations/0014_row_security.sql) behind the WHERE
// clauses. Whoever asks is told by the asynchronous context; where it is not told there is nothing to see.
import { AsyncLocalStorage } from 'node:async_hooks';
import { callbackify } from 'node:util';
import pg from 'pg';
import type { PoolClient } from 'pg';
import { TENANT_ROLE } from '../migrations/tenantRole.js';
import { type Pool, type PoolOptions, createPool } from './pool.js';

const tenant = new AsyncLocalStorage<string>();

/** What `work` does, and whatever it starts, sees this tenant's rows. */
export const asTenant = <T>(tenantId: string, work: () => T): T => tenant.run(tenantId, work);

/** The same for what is read piece by piece, by whoever reads it. */
export async function* eachAsTenant<T>(tenantId: string, pieces: AsyncIterable<T>): AsyncGenerator<T> {
  const reading = pieces[Symbol.asyncIterator]();
  try {
    for (;;) {
      const { done, value } = await asTenant(tenantId, () => reading.next());
      if (done === true) return;
      yield value;
    }
  } finally {
    await reading.return?.();
  }
}

export const createTenantPool = (url: string, options: PoolOptions = {}): Pool => createPool(url, options, TenantPool);

type Connected = (
  err: Error | undefined,
  client: PoolClient | undefined,
  done: (broken?: Error | boolean) => void,
) => void;

class TenantPool extends pg.Pool {
  override connect(): Promise<PoolClient>;
  override connect(callback: Connected): void;
  override connect(callback?: Connected): Promise<PoolClient> | void {
    const connected = super.connect().then(entered);
    if (!callback) return connected;
    callbackify(() => connected)((err: Error | null, client?: PoolClient) => {
      callback(err ?? undefined, client, (broken) => client?.release(broken));
    });
  }
}

/** Whose rows a connection sees: most are handed to the same tenant again and again. */
const seenBy = new WeakMap<PoolClient, string>();

async function entered(client: PoolClient): Promise<PoolClient> {
  const wanted = tenant.getStore() ?? '';
  if (seenBy.get(client) === wanted) return client;
  seenBy.delete(client);
  try {
    await client.query(`SELECT set_config('role', $1, false), set_config('longhaul.tenant', $2, false)`, [
      TENANT_ROLE,
      wanted,
    ]);
  } catch (err) {
    client.release(err instanceof Error ? err : true);
    throw err;
  }
  seenBy.set(client, wanted);
  return client;
}
