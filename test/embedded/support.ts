// Folders and ports for tests of the embedded servers.
import { chmodSync, mkdtempSync } from 'node:fs';
import { type Server, createServer } from 'node:net';
import path from 'node:path';
import { Client } from 'pg';

/** In a folder that everybody may enter, so that root's clusters lie in it too and go with it. */
export function emptyDataDir(name: string): string {
  const folder = mkdtempSync(path.join(process.env['LONGHAUL_TEST_DIR'] as string, `${name}-`));
  chmodSync(folder, 0o755);
  return path.join(folder, 'data');
}

/** Somebody else listens on this port. */
export async function takePort(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

/** Runs one statement on a connection of its own. */
export async function query<Row extends object>(url: string, sql: string, values: unknown[] = []): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined); // a server that is killed breaks the connection
  await client.connect();
  try {
    return (await client.query<Row>(sql, values)).rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}
