// The schema and the promises that PostgreSQL itself keeps.
import { Client, Pool } from 'pg';
import { insertRun, lockRun, type NewRun } from '../../db/runs.js';
import { appendEvents, readEvents } from '../../db/events.js';
import { putAgentVersion } from '../../db/agents.js';
import { withTransaction } from '../../db/pool.js';
import { createTenantPool } from '../../db/tenantPool.js';
import { GENESIS_HASH } from '../../contracts/events.js';
import { checkChain } from '../../harness/log/eventHash.js';
import { migrate } from '../../migrations/migrate.js';
import { agentDefinition } from '../../contracts/agent.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let database: TestDatabase;
let pool: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = new Pool({ connectionString: database.url, max: 12 });
  const definition = agentDefinition.parse({ name: 'a', model: 'm', instructions: 'i' });
  await withTransaction(pool, (tx) =>
    putAgentVersion(tx, { tenantId: 'default', name: 'a', version: 'v', definition, source: '' }),
  );
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

const runRow = (id: string, key: string | null = null): NewRun => ({
  id,
  tenantId: 'default',
  agentName: 'a',
  agentVersion: 'v',
  tools: [],
  metadata: {},
  parentRunId: null,
  createdBy: { kind: 'key', id: 'k' },
  idempotencyKey: key,
  requestHash: 'r',
  maxSteps: 1,
  maxTokens: 1,
  maxCostNanoUsd: 1,
  maxToolCalls: 1,
  deadline: new Date(),
  startAt: null,
  lastHash: GENESIS_HASH,
});

test('twenty connections can migrate one empty database at once', async () => {
  const empty = await createTestDatabase('template0');
  try {
    const all = await Promise.all(Array.from({ length: 20 }, () => migrate(empty.url)));
    expect(all.filter((r) => r.applied.length > 0)).toHaveLength(1);
  } finally {
    await empty.drop();
  }
});

test('a user who may not make roles is told what an administrator has to run, and goes on after it', async () => {
  const empty = await createTestDatabase('template0');
  const admin = new Client({ connectionString: empty.url });
  await admin.connect();
  const user = `poor_${process.pid}`;
  try {
    await admin.query(`CREATE ROLE ${user} LOGIN PASSWORD 'x'`);
    await admin.query(`GRANT ALL ON SCHEMA public TO ${user}`);
    const url = new URL(empty.url);
    url.username = user;
    url.password = 'x';
    await expect(migrate(url.href)).rejects.toThrow(`GRANT longhaul_tenant TO ${user};`);
    await admin.query(`GRANT longhaul_tenant TO ${user}`);
    expect((await migrate(url.href)).applied).toEqual([]);
    const theirs = createTenantPool(url.href, { max: 1 });
    expect((await theirs.query('SELECT * FROM agent_runs', [])).rows).toEqual([]);
    await theirs.end();
  } finally {
    await admin.query(`DROP OWNED BY ${user}`);
    await admin.query(`DROP ROLE ${user}`);
    await admin.end();
    await empty.drop();
  }
});

test('a migration that was edited after it was applied is refused, and so is a database of a newer version', async () => {
  const other = await createTestDatabase();
  const client = new Client({ connectionString: other.url });
  await client.connect();
  try {
    await client.query(`UPDATE schema_migrations SET checksum = 'x'`);
    await expect(migrate(other.url)).rejects.toThrow('was edited after it was applied');
    await client.query(`INSERT INTO schema_migrations (name, checksum) VALUES ('9999_future.sql', 'y')`);
    await expect(migrate(other.url)).rejects.toThrow(/edited|newer version/);
  } finally {
    await client.end();
    await other.drop();
  }
});

test('events cannot be changed or deleted, not even by the owner of the table', async () => {
  await withTransaction(pool, async (tx) => {
    await insertRun(tx, runRow('run_kept'));
    await appendEvents(tx, await lockRun(tx, 'run_kept'), [
      { type: 'run.created', actor: { kind: 'key', id: 'k' }, data: {} },
    ]);
  });
  await expect(pool.query(`UPDATE events SET data = '{}' WHERE agent_run_id = 'run_kept'`)).rejects.toThrow(
    'append-only',
  );
  await expect(pool.query(`DELETE FROM events WHERE agent_run_id = 'run_kept'`)).rejects.toThrow('append-only');
});

test('writers that append to one run at the same time make one chain without a gap', async () => {
  await withTransaction(pool, (tx) => insertRun(tx, runRow('run_busy')));
  await Promise.all(
    Array.from({ length: 24 }, (_, i) =>
      withTransaction(pool, async (tx) => {
        const run = await lockRun(tx, 'run_busy');
        const event = {
          type: 'signal.ignored' as const,
          actor: { kind: 'signal' as const, id: 's' },
          data: { i, odd: '\u0000\ud800é' },
        };
        await appendEvents(tx, run, [event, event]);
      }),
    ),
  );
  const events = await readEvents(pool, 'run_busy', 0, 100);
  expect(events.map((e) => e.seq)).toEqual(Array.from({ length: 48 }, (_, i) => i + 1));
  expect(checkChain('run_busy', events)).toMatchObject({ ok: true, head: { seq: 48 } });
  expect(checkChain('run_busy', [...events.slice(0, 9), ...events.slice(10)])).toMatchObject({ ok: false, seq: 11 });
});

test('an event and the rows it explains are written together or not at all', async () => {
  await withTransaction(pool, (tx) => insertRun(tx, runRow('run_whole')));
  const failing = withTransaction(pool, async (tx) => {
    await appendEvents(tx, await lockRun(tx, 'run_whole'), [
      { type: 'run.started', actor: { kind: 'system', id: 'w' }, data: {} },
    ]);
    throw new Error('the worker trips here');
  });
  await expect(failing).rejects.toThrow('trips');
  expect(await readEvents(pool, 'run_whole', 0, 10)).toEqual([]);
});

test('one idempotency key holds one run, however many try at once', async () => {
  const tries = await Promise.all(
    Array.from({ length: 10 }, (_, i) =>
      withTransaction(pool, (tx) => insertRun(tx, runRow(`run_key_${i}`, 'the key'))),
    ),
  );
  expect(tries.filter(Boolean)).toHaveLength(1);
});
