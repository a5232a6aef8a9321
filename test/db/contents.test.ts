// Contents on a real PostgreSQL: whatever is put comes back as it was, and its name is the hash of just that.
import { randomBytes } from 'node:crypto';
import type { Pool } from 'pg';
import { getContents, putContents } from '../../db/contents.js';
import { createPool, withTransaction } from '../../db/pool.js';
import { sha256Hex } from '../../harness/canonical.js';
import { type TestDatabase, createTestDatabase } from '../support/database.js';

let database: TestDatabase;
let pool: Pool;
const RUN = 'run_01ARZ3NDEKTSV4RRFFQ69G5FAV';

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, { max: 3 });
  await pool.query(
    `INSERT INTO agent_versions (name, version, definition, source) VALUES ('a', 'v', '{}', '');
     INSERT INTO agent_runs (id, agent_name, agent_version, status, created_by, request_hash, max_steps, max_tokens,
       max_cost_nano_usd, max_tool_calls, deadline, last_hash)
     VALUES ('${RUN}', 'a', 'v', 'queued', '{}', '', 1, 1, 1, 1, now(), '')`,
  );
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

const put = (items: readonly (string | Buffer)[]): Promise<string[]> =>
  withTransaction(pool, (tx) => putContents(tx, RUN, items));

const prose = (bytes: number): string =>
  'What a model says is text, and text shrinks. '.repeat(bytes / 40).slice(0, bytes);

test.each([
  ['nothing', ''],
  ['a short text', 'ok'],
  ['a text that is just not deflated', prose(255)],
  ['a text that is deflated', prose(256)],
  ['a long text with characters of several bytes', `${prose(90_000)} Grüße 👋`],
  ['a text that is too long to deflate', prose(300_000)],
  ['bytes that do not shrink', randomBytes(5000)],
])('%s comes back as it was put', async (_what, item) => {
  const bytes = Buffer.from(item);
  const [hash] = await put([item]);
  expect(hash).toBe(sha256Hex(bytes));
  expect((await getContents(pool, RUN, [hash as string])).get(hash as string)).toEqual(bytes);
});

test('text takes about half of its size', async () => {
  const [hash] = await put([prose(2001)]);
  const { rows } = await pool.query<{ size: number }>('SELECT length(bytes) size FROM contents WHERE hash = $1', [
    hash,
  ]);
  expect(rows[0]?.size).toBeLessThan(1000);
});

test('the same bytes are kept once, whoever puts them', async () => {
  const hashes = await Promise.all([put([prose(999)]), put([prose(999), prose(998)]), put([prose(999)])]);
  expect(new Set(hashes.flat()).size).toBe(2);
});
