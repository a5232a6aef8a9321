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
