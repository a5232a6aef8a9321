// Transactions on a real PostgreSQL: statements travel together, and one that fails takes the rest with it.
import type { Pool } from 'pg';
import { atCommit, createPool, withTransaction } from '../../db/pool.js';
import { type TestDatabase, createTestDatabase } from '../support/database.js';

let database: TestDatabase;
let pool: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, { max: 3 });
  await pool.query('CREATE TABLE facts (id int PRIMARY KEY, said text)');
});

beforeEach(() => pool.query('TRUNCATE facts'));

afterAll(async () => {
  await pool.end();
  await database.drop();
});

const insert = (db: Pick<Pool, 'query'>, id: number, said = 'x') =>
  db.query('INSERT INTO facts (id, said) VALUES ($1, $2)', [id, said]);

const ids = async (): Promise<number[]> => {
  const { rows } = await pool.query<{ id: number }>('SELECT id FROM facts ORDER BY id');
  return rows.map((row) => row.id);
};

test('statements that travel with COMMIT are part of the transaction', async () => {
  const answer = await withTransaction(pool, async (tx) => {
    await insert(tx, 1);
    atCommit(tx, insert(tx, 2), insert(tx, 3));
    return 'done';
  });
  expect(answer).toBe('done');
  expect(await ids()).toEqual([1, 2, 3]);
});

test('one of them that fails undoes the transaction and is what the caller is told', async () => {
  const transaction = withTransaction(pool, async (tx) => {
    await insert(tx, 1);
    atCommit(tx, insert(tx, 2), insert(tx, 1), insert(tx, 3));
  });
  await expect(transaction).rejects.toMatchObject({ code: '23505', table: 'facts' });
  expect(await ids()).toEqual([]);
});

test('a transaction whose failed statement was swallowed is not reported as committed', async () => {
  const transaction = withTransaction(pool, async (tx) => {
    await insert(tx, 1);
    await insert(tx, 1).catch(() => undefined);
  });
  await expect(transaction).rejects.toThrow('rolled back');
  expect(await ids()).toEqual([]);
});

test('of statements that were sent together the first that failed is reported', async () => {
  await insert(pool, 7);
  const transaction = withTransaction(pool, (tx) => Promise.all([insert(tx, 1), insert(tx, 7), insert(tx, 2)]));
  await expect(transaction).rejects.toMatchObject({ code: '23505' });
  expect(await ids()).toEqual([7]);
});

test('a connection is of use after each of these failures', async () => {
  for (let i = 0; i < 10; i++) {
    const transaction = withTransaction(pool, async (tx) => atCommit(tx, insert(tx, 1), insert(tx, 1), insert(tx, i)));
    await expect(transaction).rejects.toMatchObject({ code: '23505' });
  }
  await withTransaction(pool, (tx) => insert(tx, 1));
  expect(await ids()).toEqual([1]);
});

test('a statement that failed once is of use again on the same connection', async () => {
  const single = createPool(database.url, { max: 1 });
  try {
    const both = (id: number) => Promise.all([insert(single, id), single.query('SELECT 1 / $1::int AS one', [id])]);
    await expect(both(0)).rejects.toMatchObject({ code: '22012' });
    await expect(single.query('SELECT 1 / $1::int AS one', ['no number'])).rejects.toMatchObject({ code: '22P02' });
    const { rows } = await single.query('SELECT 1 / $1::int AS one', [1]);
    expect(rows).toEqual([{ one: 1 }]);
    await withTransaction(single, (tx) => Promise.all([insert(tx, 8), insert(tx, 9)]));
    expect(await ids()).toEqual([0, 8, 9]);
  } finally {
    await single.end();
  }
});

test('a value that cannot be sent fails its statement and nothing else', async () => {
  const circular: { self?: unknown } = {};
  circular.self = circular;
  await expect(pool.query('SELECT $1::json AS x', [circular])).rejects.toThrow('circular');
  const transaction = withTransaction(pool, async (tx) => {
    await insert(tx, 1);
    await tx.query('SELECT $1::json AS x', [circular]);
  });
  await expect(transaction).rejects.toThrow('circular');
  expect(await ids()).toEqual([]);
});

test('values of every kind come back as pg would give them', async () => {
  const sql = `SELECT $1::int AS int, $2::bigint AS big, $3::timestamptz AS at, $4::json AS json, $5::text[] AS list,
    $6::bytea AS bytes, $7::text AS nothing, $8::boolean AS yes, $9::jsonb AS object`;
  const at = new Date('2026-11-23T10:11:12.345Z');
  const values = [1, 2 ** 40, at, '{"a":[1]}', ['x', 'y,"z'], Buffer.from([0, 255, 7]), null, true, { b: 2 }];
  for (let use = 1; use <= 3; use++) {
    const { rows, rowCount, command } = await pool.query(sql, values);
    expect({ rowCount, command }).toEqual({ rowCount: 1, command: 'SELECT' });
    expect(rows).toEqual([
      {
        ...{ int: 1, big: 2 ** 40, at, json: { a: [1] }, list: ['x', 'y,"z'] },
        ...{ bytes: Buffer.from([0, 255, 7]), nothing: null, yes: true, object: { b: 2 } },
      },
    ]);
  }
});

test('statements without values and those with keep their order', async () => {
  const said = await withTransaction(pool, async (tx) => {
    void insert(tx, 1);
    const control = tx.query("UPDATE facts SET said = 'changed'; DELETE FROM facts WHERE id = 99");
    const { rows } = await tx.query<{ said: string }>('SELECT said FROM facts WHERE id = $1', [1]);
    await control;
    return rows[0]?.said;
  });
  expect(said).toBe('changed');
});

test('when the server ends a connection every statement in flight is told, and the pool goes on', async () => {
  const single = createPool(database.url, { max: 1 });
  try {
    const transaction = withTransaction(single, async (tx) => {
      const { rows } = await tx.query<{ pid: number }>('SELECT pg_backend_pid() AS pid', []);
      const waits = Promise.all([tx.query('SELECT pg_sleep($1)', [60]), insert(tx, 1)]);
      await pool.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
      return waits;
    });
    await expect(transaction).rejects.toMatchObject({ code: '57P01' });
    await insert(single, 5);
    expect(await ids()).toEqual([5]);
  } finally {
    await single.end();
  }
});

test('many transactions on few connections keep their answers apart', async () => {
  const one = (id: number) =>
    withTransaction(pool, async (tx) => {
      const [, { rows }] = await Promise.all([
        insert(tx, id, `said ${id}`),
        tx.query<{ said: string }>('SELECT said FROM facts WHERE id = $1', [id]),
      ]);
      return rows[0]?.said;
    });
  const said = await Promise.all(Array.from({ length: 60 }, (_, id) => one(id)));
  expect(said).toEqual(Array.from({ length: 60 }, (_, id) => `said ${id}`));
});

test('a connection that breaks between two statements of a transaction fails it, and the process lives', async () => {
  const broke = withTransaction(pool, async (tx) => {
    const { rows } = await tx.query<{ pid: number }>('SELECT pg_backend_pid() pid');
    await insert(tx, 1);
    // As when PostgreSQL is killed while nobody waits for an answer of this connection.
    const ended = new Promise((resolve) => tx.once('end', resolve));
    await pool.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
    await ended;
    await insert(tx, 2);
  });
  await expect(broke).rejects.toBeInstanceOf(Error);
  expect(await ids()).toEqual([]);
});
