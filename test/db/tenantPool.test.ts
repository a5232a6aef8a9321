// The second wall between tenants: what a statement sees that says nothing of tenants.
import { GENESIS_HASH, systemActor } from '../../contracts/events.js';
import { putAgentVersion } from '../../db/agents.js';
import { putContent } from '../../db/contents.js';
import { appendEvents } from '../../db/events.js';
import { type Pool, createPool, withTransaction } from '../../db/pool.js';
import { insertRun, lockRun } from '../../db/runs.js';
import { asTenant, createTenantPool, eachAsTenant } from '../../db/tenantPool.js';
import { type TestDatabase, createTestDatabase } from '../support/database.js';

let database: TestDatabase;
let pool: Pool;
let wholePool: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  wholePool = createPool(database.url);
  pool = createTenantPool(database.url, { max: 2 });
  for (const tenantId of ['a', 'b']) await aRunOf(tenantId);
});
afterAll(async () => {
  await Promise.all([pool.end(), wholePool.end()]);
  await database.drop();
});

async function aRunOf(tenantId: string): Promise<void> {
  await withTransaction(wholePool, async (tx) => {
    const id = `run_${tenantId}`;
    const definition = { name: 'desk', model: 'scripted/x', instructions: 'x' } as never;
    await putAgentVersion(tx, { tenantId, name: 'desk', version: 'v1', definition, source: 'x' });
    await insertRun(tx, {
      id,
      tenantId,
      agentName: 'desk',
      agentVersion: 'v1',
      tools: [],
      metadata: {},
      parentRunId: null,
      startAt: null,
      createdBy: systemActor('test'),
      idempotencyKey: null,
      requestHash: 'x',
      lastHash: GENESIS_HASH,
      maxSteps: 1,
      maxTokens: 1,
      maxCostNanoUsd: 1,
      maxToolCalls: 1,
      deadline: new Date('2030-01-01'),
    });
    const run = await lockRun(tx, id);
    await putContent(tx, id, `of ${tenantId}`);
    await appendEvents(tx, run, [{ type: 'run.created', actor: systemActor('test'), data: {} }]);
  });
}

const countOf = async (table: string): Promise<number> => {
  const { rows } = await pool.query<{ n: number }>(`SELECT count(*)::int n FROM ${table}`);
  return rows[0]?.n ?? -1;
};

test.each(['agents', 'agent_versions', 'agent_runs', 'events', 'contents'])(
  'of %s each tenant sees its own rows, and nobody sees any',
  async (table) => {
    expect(await asTenant('a', () => countOf(table))).toBe(1);
    expect(await asTenant('b', () => countOf(table))).toBe(1);
    expect(await asTenant('c', () => countOf(table))).toBe(0);
    expect(await countOf(table)).toBe(0);
  },
);

test('what another tenant has cannot be changed, taken away or added to', async () => {
  await asTenant('b', async () => {
    const changed = await pool.query(`UPDATE agent_runs SET status = 'failed' WHERE id = 'run_a'`, []);
    expect(changed.rowCount).toBe(0);
    expect((await pool.query(`DELETE FROM contents WHERE agent_run_id = 'run_a'`, [])).rowCount).toBe(0);
    const added = withTransaction(pool, (tx) => putContent(tx, 'run_a', 'of b'));
    await expect(added).rejects.toMatchObject({ code: '42501' });
    await expect(pool.query(`UPDATE agent_runs SET tenant_id = 'a'`, [])).rejects.toMatchObject({ code: '42501' });
  });
  await expect(pool.query('CREATE TABLE mine ()', [])).rejects.toMatchObject({ code: '42501' });
});

test('connections that go from tenant to tenant in the middle of transactions see one at a time', async () => {
  const seen = async (tenantId: string): Promise<string[]> =>
    asTenant(tenantId, () =>
      withTransaction(pool, async (tx) => {
        const { rows } = await tx.query<{ id: string }>('SELECT id FROM agent_runs', []);
        await tx.query('SELECT pg_sleep(0.002)', []);
        return [...rows, ...(await tx.query<{ id: string }>('SELECT id FROM agent_runs', [])).rows].map((r) => r.id);
      }),
    );
  const tenants = Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? 'b' : 'a'));
  const all = await Promise.all(tenants.map(seen));
  expect(all).toEqual(tenants.map((tenantId) => [`run_${tenantId}`, `run_${tenantId}`]));
});

test('what is read piece by piece is read as the tenant, whoever reads it', async () => {
  async function* runs(): AsyncGenerator<number> {
    for (let i = 0; i < 3; i++) yield await countOf('agent_runs');
  }
  const pieces = eachAsTenant('a', runs());
  const read = await asTenant('nobody', async () => {
    const all: number[] = [];
    for await (const piece of pieces) all.push(piece);
    return all;
  });
  expect(read).toEqual([1, 1, 1]);
});

test('no table of a tenant or of a run is outside of the wall', async () => {
  const { rows } = await wholePool.query<{ name: string }>(
    `SELECT DISTINCT relname AS name FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
      WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
        AND attname IN ('tenant_id', 'agent_run_id') AND NOT attisdropped
        AND NOT (relrowsecurity AND EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid))`,
    [],
  );
  expect(rows).toEqual([]);
});
