// Brings a database to this code's schema: numbered SQL files, each once, in one transaction, checked by hash.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Client } from 'pg';
import { provideTenantRole } from './tenantRole.js';

/** Any constant: it keeps replicas that boot at the same time from migrating at once. */
const LOCK_KEY = 727_001;

interface Migration {
  name: string;
  sql: string;
  checksum: string;
}

function shippedMigrations(): Migration[] {
  return readdirSync(__dirname)
    .filter((file) => /^\d{4}_.+\.sql$/.test(file))
    .toSorted()
    .map((name) => {
      const sql = readFileSync(path.join(__dirname, name), 'utf8');
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    });
}

/**
 * Applies what is missing. Safe to call from many processes at once.
 * Throws when a shipped file was changed after it was applied, or the database is newer than this code.
 */
export async function migrate(databaseUrl: string): Promise<{ applied: string[] }> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [LOCK_KEY]);
    await client.query(
      `CREATE TABLE IF NOT EXISTS schema_migrations
         (name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`,
    );
    const done = await client.query<{ name: string; checksum: string }>('SELECT name, checksum FROM schema_migrations');
    const shipped = shippedMigrations();
    refuseStrangers(done.rows, shipped);
    const known = new Set(done.rows.map((row) => row.name));
    const applied: string[] = [];
    for (const migration of shipped.filter((m) => !known.has(m.name))) {
      await applyOne(client, migration);
      applied.push(migration.name);
    }
    await provideTenantRole(client);
    return { applied };
  } finally {
    await client.end(); // releases the lock
  }
}

function refuseStrangers(done: { name: string; checksum: string }[], shipped: Migration[]): void {
  for (const row of done) {
    const file = shipped.find((m) => m.name === row.name);
    if (!file) {
      throw new Error(`The database has migration ${row.name}, which this version does not know. Run a newer version.`);
    }
    if (file.checksum !== row.checksum) {
      throw new Error(
        `Migration ${row.name} was edited after it was applied. Restore the file; add a new one instead.`,
      );
    }
  }
}

async function applyOne(client: Client, migration: Migration): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query(migration.sql);
    await client.query('INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)', [
      migration.name,
      migration.checksum,
    ]);
    await client.query('COMMIT');
  } catch (err) {
    await client.query('ROLLBACK');
    throw new Error(`Migration ${migration.name} failed: ${(err as Error).message}`, { cause: err });
  }
}
