// A database of its own for a test file: a clone of the migrated template.
import { randomBytes } from 'node:crypto';
import { Client } from 'pg';

export interface TestDatabase {
  url: string;
  drop(): Promise<void>;
}

export async function createTestDatabase(template = 'longhaul_template'): Promise<TestDatabase> {
  const adminUrl = process.env['LONGHAUL_TEST_DATABASE_URL'] as string;
  const name = `test_${randomBytes(6).toString('hex')}`;
  await admin(adminUrl, `CREATE DATABASE ${name} TEMPLATE ${template}`);
  return {
    url: adminUrl.replace(/\/longhaul$/, `/${name}`),
    drop: () => admin(adminUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

async function admin(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
