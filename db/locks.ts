// Locks by name across processes. They end with the connection that holds them, so a dead holder blocks nobody.
import type { Pool } from './pool.js';

/** Runs `work` unless another process is at it; false: it was. */
export async function withLock(pool: Pool, name: string, work: () => Promise<void>): Promise<boolean> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    const { rows } = await client.query<{ held: boolean }>(
      'SELECT pg_try_advisory_lock(hashtextextended($1, 0)) held',
      [name],
    );
    if (rows[0]?.held !== true) return false;
    try {
      await work();
    } finally {
      await client.query('SELECT pg_advisory_unlock(hashtextextended($1, 0))', [name]);
    }
    return true;
  } catch (err) {
    broken = err as Error; // a connection that may still hold the lock is not used again
    throw err;
  } finally {
    client.release(broken);
  }
}
