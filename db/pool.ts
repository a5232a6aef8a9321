// Connections and transactions. Everything else in db/ takes the connection it is given.
import pg from 'pg';
import type { Pool, PoolClient } from 'pg';
import { batching } from './batching.js';

/** A pool or a connection inside a transaction: whatever can run a statement. */
export interface Queryable {
  query<R extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<pg.QueryResult<R>>;
}
export type { Pool, PoolClient } from 'pg';

// int8 arrives as text by default. Counts and nano-dollars stay below 2^53 (nine million dollars).
pg.types.setTypeParser(pg.types.builtins.INT8, (text) => Number(text));

export interface PoolOptions {
  /** Who it is, for whoever looks into pg_stat_activity. */
  name?: string;
  max?: number;
  onError?: (err: Error) => void;
}

export function createPool(url: string, options: PoolOptions = {}, Kind: typeof pg.Pool = pg.Pool): Pool {
  const pool = new Kind({
    connectionString: url,
    max: options.max ?? 20,
    connectionTimeoutMillis: 10_000,
    idleTimeoutMillis: 30_000,
    // A statement that takes longer is a bug or a stuck lock; give it up so that the activity is retried.
    statement_timeout: 30_000,
    idle_in_transaction_session_timeout: 30_000,
    application_name: options.name ?? 'longhaul',
  });
  pool.on('connect', (client) => {
    batching(client);
    // One that breaks while it is in use tells its statements, and those tell whoever waits for them.
    client.on('error', () => undefined);
  });
  // An idle connection that breaks (server restart) is dropped by the pool; without a listener it would end the process.
  pool.on('error', (err) => options.onError?.(err));
  return pool;
}

/** Runs `work` in one transaction: committed when it returns, rolled back when it throws. */
export async function withTransaction<T>(pool: Pool, work: (tx: PoolClient) => Promise<T>): Promise<T> {
  const tx = await pool.connect();
  let broken: Error | undefined;
  const statements = new Set<Promise<unknown>>();
  unanswered.set(tx, statements);
  try {
    atCommit(tx, tx.query('BEGIN')); // leaves with the first statement
    const result = await work(tx);
    const [{ command }] = await Promise.all([tx.query('COMMIT'), ...statements]);
    if (command !== 'COMMIT') throw new Error('the transaction was rolled back: one of its statements had failed');
    return result;
  } catch (err) {
    await tx.query('ROLLBACK').catch((rollback: Error) => (broken = rollback));
    throw err;
  } finally {
    unanswered.delete(tx);
    tx.release(broken);
  }
}

const unanswered = new WeakMap<PoolClient, Set<Promise<unknown>>>();

/**
 * Statements whose answers nobody needs travel with COMMIT instead of being waited for. They run in the order in which
 * they were made, and the transaction fails when one of them does.
 */
export function atCommit(tx: PoolClient, ...statements: readonly Promise<unknown>[]): void {
  const waiting = unanswered.get(tx);
  if (!waiting) throw new Error('atCommit outside of a transaction');
  for (const statement of statements) {
    statement.catch(() => undefined); // told by withTransaction
    waiting.add(statement);
  }
}
