// Sweeps that need a database and a disk, and how processes share them.
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Pool } from 'pg';
import pino from 'pino';
import { agentDefinition } from '../../contracts/agent.js';
import { GENESIS_HASH } from '../../contracts/events.js';
import { putAgentVersion } from '../../db/agents.js';
import { eraseContents } from '../../db/contents.js';
import { readEvents } from '../../db/events.js';
import { withTransaction } from '../../db/pool.js';
import { findRunByIdempotencyKey, insertRun, setRunEnded } from '../../db/runs.js';
import { type SweepRow, installationId, listSweeps } from '../../db/sweeps.js';
import { offerTools, registerWorker } from '../../db/workers.js';
import { newRunId, newWorkerId } from '../../harness/ids.js';
import { waitFor } from '../../embedded/processes.js';
import { catalogue } from '../../housekeeping/catalogue.js';
import { deadWorkers } from '../../housekeeping/deadWorkers.js';
import { oldIdempotencyKeys } from '../../housekeeping/oldIdempotencyKeys.js';
import { removeOrphans } from '../../housekeeping/orphanedWorkspaces.js';
import { keepHouse } from '../../housekeeping/schedule.js';
import type { Sweep } from '../../housekeeping/sweep.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let database: TestDatabase;
let pool: Pool;
const log = pino({ level: 'silent' });

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

async function aRun(idempotencyKey: string | null = null): Promise<string> {
  const id = newRunId();
  await withTransaction(pool, (tx) =>
    insertRun(tx, {
      ...{ id, tenantId: 'default', agentName: 'a', agentVersion: 'v', tools: [], metadata: {}, parentRunId: null },
      ...{ createdBy: { kind: 'key', id: 'k' }, idempotencyKey, requestHash: 'r', maxSteps: 1, maxTokens: 1 },
      ...{ maxCostNanoUsd: 1, maxToolCalls: 1, deadline: new Date(), startAt: null, lastHash: GENESIS_HASH },
    }),
  );
  return id;
}

test('workers that ended more than a day ago lose their row, but not the last one that offered a tool', async () => {
  const worker = async (age: string): Promise<string> => {
    const id = newWorkerId();
    const space = { pid: 1, pidSpace: null, pidStarted: null };
    await registerWorker(pool, { id, name: id, host: 'h', queues: [], codeVersion: '1', ...space });
    await pool.query('UPDATE workers SET lease_until = now() - $2::interval WHERE id = $1', [id, age]);
    return id;
  };
  const [old, offering, recent] = [await worker('2 days'), await worker('2 days'), await worker('1 hour')];
  await withTransaction(pool, (tx) => offerTools(tx, offering, [{ definition: { name: 't' } as never, hash: 'h' }]));
  const found = await Promise.all([deadWorkers(pool).run(), deadWorkers(pool).run()]);
  expect(found.flat().map((f) => f.text.split(' ')[0])).toEqual([old]);
  const { rows } = await pool.query<{ id: string }>('SELECT id FROM workers');
  expect(new Set(rows.map((r) => r.id))).toEqual(new Set([offering, recent]));
});

test('idempotency keys are forgotten after thirty days, their runs are not', async () => {
  const [old, young] = [await aRun('old'), await aRun('young')];
  await pool.query(`UPDATE agent_runs SET created_at = now() - interval '31 days' WHERE id = $1`, [old]);
  const found = await Promise.all([oldIdempotencyKeys(pool).run(), oldIdempotencyKeys(pool).run()]);
  expect(found.flat()).toEqual([{ tenantId: null, text: '1 key(s) forgotten' }]);
  expect(await findRunByIdempotencyKey(pool, 'default', 'old')).toBeUndefined();
  expect(await findRunByIdempotencyKey(pool, 'default', 'young')).toMatchObject({ id: young });
  expect((await pool.query('SELECT 1 FROM agent_runs WHERE id = $1', [old])).rowCount).toBe(1);
  expect(await oldIdempotencyKeys(pool).run()).toEqual([]);
});

test('folders of erased runs go at once, of unknown runs by age, of any other run and of others never', async () => {
  const workspacesDir = mkdtempSync(path.join(process.env['LONGHAUL_TEST_DIR'] as string, 'workspaces-'));
  const [open, ended, erased] = [await aRun(), await aRun(), await aRun()];
  const [unknown, unknownOld] = [newRunId(), newRunId()];
  await withTransaction(pool, async (tx) => {
    await setRunEnded(tx, ended, { status: 'completed' });
    await setRunEnded(tx, erased, { status: 'completed' });
    await eraseContents(tx, erased);
  });
  const week = new Date(Date.now() - 8 * 86_400_000);
  for (const name of [open, ended, erased, unknown, unknownOld, 'notes']) {
    mkdirSync(path.join(workspacesDir, name, 'deep'), { recursive: true });
    writeFileSync(path.join(workspacesDir, name, 'deep', 'file.txt'), 'x');
    utimesSync(path.join(workspacesDir, name), week, week);
  }
  const deps = { pool, workspacesDir, host: 'here' };
  // All were made a moment ago, whatever their time of change says: a copy may have kept an old one.
  expect((await removeOrphans(deps, 3_600_000)).map((f) => f.text)).toEqual([`${erased} was erased; folder removed`]);
  expect((await removeOrphans(deps, 0)).map((f) => f.text.split(' ')[0]).toSorted(byName)).toEqual(
    [unknown, unknownOld].toSorted(byName),
  );
  expect(readdirSync(workspacesDir).toSorted(byName)).toEqual(['notes', open, ended].toSorted(byName));
  const events = await readEvents(pool, erased, 0, 10);
  expect(events.map((e) => e.type)).toEqual(['run.repaired']);
  expect(await removeOrphans({ ...deps, workspacesDir: path.join(workspacesDir, 'none') }, 0)).toEqual([]);
});

test('a folder that a command has closed goes as well, and one that cannot go keeps no other', async () => {
  const workspacesDir = mkdtempSync(path.join(process.env['LONGHAUL_TEST_DIR'] as string, 'workspaces-'));
  const [closed, stuck, plain] = ['0', '1', '2'].map((n) => newRunId().slice(0, -1) + n) as [string, string, string];
  for (const name of [closed, stuck, plain])
    mkdirSync(path.join(workspacesDir, name, 'deep', 'deeper'), { recursive: true });
  const script = `
    const { removeOrphans } = require(${JSON.stringify(path.resolve('dist/housekeeping/orphanedWorkspaces.js'))});
    const pool = { query: async () => ({ rows: [] }) };
    removeOrphans({ pool, workspacesDir: process.argv[1], host: 'here' }, 0).catch((err) => console.log(err.message));`;
  chmodSync(path.join(workspacesDir, closed, 'deep'), 0);
  const isRoot = process.getuid?.() === 0;
  if (isRoot) chownSync(path.join(workspacesDir, stuck, 'deep'), 65534, 65534);
  // Root is stopped by no mode, unless it lays that down.
  const asAnybody = ['setpriv', '--bounding-set=-dac_override,-dac_read_search,-fowner'];
  const command = [process.execPath, '-e', script, workspacesDir];
  const [program, ...args] = isRoot ? [...asAnybody, ...command] : command;
  const said = execFileSync(program ?? '', args, { encoding: 'utf8' });
  expect(readdirSync(workspacesDir)).toEqual(isRoot ? [stuck] : []);
  expect(said).toMatch(isRoot ? /EACCES|EPERM/ : /^$/);
});
const byName = (a = '', b = ''): number => a.localeCompare(b);

describe('the schedule', () => {
  const rowOf = async (name: string): Promise<SweepRow | undefined> =>
    (await listSweeps(pool)).find((row) => row.name === name);

  test('runs a seldom sweep once in all processes together, and a failed one again in another process', async () => {
    let [runs, failures] = [0, 0];
    const good: Sweep = { name: 'dead-workers', run: async () => (runs++, []) };
    const bad: Sweep = {
      name: 'idempotency-keys',
      async run() {
        failures += 1;
        if (failures === 1) throw new Error('the disk is full');
        return [{ tenantId: null, text: 'found it' }];
      },
    };
    const houses = [1, 2, 3].map(() => keepHouse({ pool, log }, [good, bad]));
    await waitFor('all three to have had their turn', () => failures === 2 && runs === 1);
    await waitFor('the second one to be written down', async () => (await rowOf('idempotency-keys'))?.error === null);
    await Promise.all(houses.map((house) => house.stop()));
    expect([runs, failures]).toEqual([1, 2]);
    expect(await rowOf('idempotency-keys')).toMatchObject({ found: 1, findings: [{ text: 'found it' }] });
    expect(await rowOf('dead-workers')).toMatchObject({ found: null, error: null });
  });

  test('stops in the middle of its waits', async () => {
    await keepHouse({ pool, log }, [{ name: 'orphaned-workspaces', place: 'here', run: async () => [] }]).stop();
    expect(await rowOf('orphaned-workspaces')).toBeUndefined();
  });

  test('every sweep says what it does and how often', () => {
    for (const { what, everyMs } of Object.values(catalogue)) {
      expect(what).toMatch(/^[a-z]+s /);
      expect(everyMs).toBeGreaterThanOrEqual(1000);
    }
  });
});

test('a database keeps its identity', async () => {
  const other = new Pool({ connectionString: database.url });
  try {
    expect(await installationId(other)).toBe(await installationId(pool));
  } finally {
    await other.end();
  }
});
