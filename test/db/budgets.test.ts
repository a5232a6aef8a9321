// Accounts and token buckets under many connections at once: what PostgreSQL itself holds.
import type { Pool } from 'pg';
import {
  type Account,
  type BudgetKey,
  chargeBudgets,
  findBudget,
  putBudget,
  releaseReservations,
  reserveModelCall,
  spendToolCall,
  topUpBudget,
} from '../../db/budgets.js';
import { createPool, withTransaction } from '../../db/pool.js';
import { putRate, takeRate } from '../../db/rates.js';
import { type TestDatabase, createTestDatabase } from '../support/database.js';
import { aRunRow } from '../support/rows.js';

let database: TestDatabase;
let pool: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, { max: 16 });
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

const by = { kind: 'key', id: 'key_test' } as const;
const at = (tenantId: string, more: Partial<BudgetKey> = {}): BudgetKey => ({
  tenantId,
  scope: 'tenant',
  subject: 'all',
  period: 'day',
  ...more,
});
const accountOf = (tenantId: string, more: Partial<Account> = {}): Account => ({
  tenantId,
  agentName: 'a',
  rootRunId: 'run_root',
  model: 'm',
  ...more,
});

/** Of a run of its own. The reservation is committed. */
const reserve = async (account: Account, agentRunId: string, step = 1, costNanoUsd = 10, tokens = 5) =>
  withTransaction(pool, (tx) => reserveModelCall(tx, account, { agentRunId, step, atMost: { costNanoUsd, tokens } }));
const charge = (account: Account, agentRunId: string, used: { costNanoUsd: number; tokens: number; steps: number }) =>
  withTransaction(pool, (tx) => chargeBudgets(tx, account, { agentRunId, step: 1, used, done: true }));

describe('a budget', () => {
  test('of ten steps lets ten of fifty calls at once reserve, whoever they are', async () => {
    await putBudget(pool, at('ten'), { steps: 10 }, by);
    const runs = await Promise.all(Array.from({ length: 50 }, () => aRunRow(pool)));
    const answers = await Promise.all(runs.map((id) => reserve(accountOf('ten'), id)));
    expect(answers.filter((short) => short.length === 0)).toHaveLength(10);
    expect(answers.filter((short) => short.length === 1)).toHaveLength(40);
    expect(answers.flat()[0]).toMatchObject({ scope: 'tenant', dimension: 'steps', exhausted: false });
    expect(await findBudget(pool, at('ten'))).toMatchObject({ reserved: { steps: 10, costNanoUsd: 100, tokens: 50 } });
  });

  test('is overshot by at most the call that was let in last: what others may still cost is counted', async () => {
    await putBudget(pool, at('money'), { costNanoUsd: 100 }, by);
    const runs = await Promise.all(Array.from({ length: 30 }, () => aRunRow(pool)));
    const answers = await Promise.all(runs.map((id) => reserve(accountOf('money'), id, 1, 40)));
    const admitted = runs.filter((_, i) => answers[i]?.length === 0);
    expect(admitted).toHaveLength(3); // 0, 40 and 80 were reserved before
    for (const id of admitted) await charge(accountOf('money'), id, { costNanoUsd: 40, tokens: 1, steps: 1 });
    expect(await findBudget(pool, at('money'))).toMatchObject({
      used: { costNanoUsd: 120 },
      reserved: { costNanoUsd: 0 },
    });
    const [short] = await reserve(accountOf('money'), await aRunRow(pool));
    expect(short).toMatchObject({ dimension: 'costUsd', exhausted: true, endsAt: expect.any(Date) });
  });

  test('is reserved from once by all attempts of a call, and what was not used is given back', async () => {
    await putBudget(pool, at('again'), { steps: 1 }, by);
    const [id, other] = [await aRunRow(pool), await aRunRow(pool)];
    expect(await reserve(accountOf('again'), id)).toEqual([]);
    expect(await reserve(accountOf('again'), id)).toEqual([]);
    expect(await findBudget(pool, at('again'))).toMatchObject({ reserved: { steps: 1, costNanoUsd: 10 } });
    expect(await reserve(accountOf('again'), other)).toHaveLength(1);
    await withTransaction(pool, (tx) => releaseReservations(tx, 'again', id));
    expect(await findBudget(pool, at('again'))).toMatchObject({ reserved: { steps: 0, costNanoUsd: 0, tokens: 0 } });
    expect(await reserve(accountOf('again'), other)).toEqual([]);
  });

  test('that is short keeps the others as they were', async () => {
    await putBudget(pool, at('both'), { steps: 100 }, by);
    await putBudget(pool, at('both', { scope: 'model', subject: 'm', period: 'total' }), { steps: 0 }, by);
    expect(await reserve(accountOf('both'), await aRunRow(pool))).toMatchObject([{ scope: 'model', subject: 'm' }]);
    expect(await findBudget(pool, at('both'))).toMatchObject({ reserved: { steps: 0 } });
    expect(await reserve(accountOf('both', { model: 'other' }), await aRunRow(pool))).toEqual([]);
  });

  test('of a transaction that is rolled back was never reserved from', async () => {
    await putBudget(pool, at('rolled'), { steps: 1 }, by);
    const id = await aRunRow(pool);
    const atMost = { costNanoUsd: 1, tokens: 1 };
    const rolledBack = withTransaction(pool, async (tx) => {
      await reserveModelCall(tx, accountOf('rolled'), { agentRunId: id, step: 1, atMost });
      throw new Error('the worker died');
    });
    await expect(rolledBack).rejects.toThrow('the worker died');
    expect(await findBudget(pool, at('rolled'))).toMatchObject({ reserved: { steps: 0 } });
  });

  test('begins anew with its period, without the top-ups of the one before', async () => {
    await putBudget(pool, at('period'), { toolCalls: 2 }, by);
    const spend = () => withTransaction(pool, (tx) => spendToolCall(tx, accountOf('period', { tool: 't' })));
    expect([await spend(), await spend(), await spend()].map((short) => short.length)).toEqual([0, 0, 1]);
    expect(await topUpBudget(pool, at('period'), { toolCalls: 1 }, by)).toBe(true);
    expect([await spend(), await spend()].map((short) => short.length)).toEqual([0, 1]);
    await pool.query(`UPDATE budgets SET window_start = window_start - interval '1 day' WHERE tenant_id = 'period'`);
    expect(await findBudget(pool, at('period'))).toMatchObject({ used: { toolCalls: 0 }, extra: { toolCalls: 0 } });
    expect([await spend(), await spend(), await spend()].map((short) => short.length)).toEqual([0, 0, 1]);
  });

  test('of another tenant, agent or tree is left alone', async () => {
    await putBudget(pool, at('mine', { scope: 'agent', subject: 'a' }), { steps: 1 }, by);
    await putBudget(pool, at('mine', { scope: 'run', subject: 'run_1', period: 'total' }), { steps: 1 }, by);
    for (let i = 0; i < 3; i++) {
      expect(await reserve(accountOf('mine', { agentName: 'b' }), await aRunRow(pool))).toEqual([]);
      expect(await reserve(accountOf('theirs'), await aRunRow(pool))).toEqual([]);
    }
  });
});

describe('a rate', () => {
  /** Times, by the database's clock, at which tokens were taken. */
  async function takenBy(tenantId: string, seconds: number): Promise<number[]> {
    const taken: number[] = [];
    const caller = async (): Promise<void> => {
      const end = Date.now() + seconds * 1000;
      while (Date.now() < end) {
        const { ok, at: time } = await withTransaction(pool, async (tx) => {
          const answer = await takeRate(tx, tenantId, {
            subjects: [{ scope: 'tenant', subject: 'all' }],
            declared: [],
            queued: true,
          });
          const { rows } = await tx.query<{ at: number }>(
            'SELECT extract(epoch FROM refilled_at)::float8 at FROM rates WHERE tenant_id = $1',
            [tenantId],
          );
          return { ok: answer.ok, at: rows[0]?.at ?? 0 };
        });
        if (ok) taken.push(time);
      }
    };
    await Promise.all(Array.from({ length: 12 }, caller));
    return taken.toSorted((a, b) => a - b);
  }

  test('is never exceeded in any stretch of time, however many ask at once', async () => {
    const [perSecond, burst] = [40, 5];
    await putRate(pool, 'busy', { scope: 'tenant', subject: 'all', rate: `${perSecond}/s`, burst }, by);
    const taken = await takenBy('busy', 2);
    expect(taken.length).toBeGreaterThan(burst);
    for (const [i, from] of taken.entries()) {
      for (let j = i; j < taken.length; j++) {
        const allowed = burst + perSecond * ((taken[j] as number) - from);
        expect(j - i + 1).toBeLessThanOrEqual(allowed + 0.01); // microseconds, as floats
      }
    }
  });

  test('that is used up says when to come back, and newcomers stand behind those who wait', async () => {
    await putRate(pool, 'queue', { scope: 'tenant', subject: 'all', rate: '1/h', burst: 1 }, by);
    const take = (queued = false) =>
      withTransaction(pool, (tx) =>
        takeRate(tx, 'queue', { subjects: [{ scope: 'tenant', subject: 'all' }], declared: [], queued }),
      );
    expect(await take()).toEqual({ ok: true });
    const [first, second] = [await take(), await take()];
    expect(first).toMatchObject({ ok: false, scope: 'tenant', rate: '1/h' });
    const waits = [first, second].map((answer) => (answer.ok ? 0 : answer.waitMs));
    expect(waits[0]).toBeGreaterThan(3_500_000);
    expect(waits[1]).toBeGreaterThan(7_100_000);
    // An hour later there is a token, and it is for whoever has waited.
    await pool.query(`UPDATE rates SET refilled_at = refilled_at - interval '1 hour' WHERE tenant_id = 'queue'`);
    expect(await take()).toMatchObject({ ok: false });
    expect(await take(true)).toEqual({ ok: true });
    expect(await take(true)).toMatchObject({ ok: false });
  });

  test('of several is taken from all or from none', async () => {
    await putRate(pool, 'several', { scope: 'tenant', subject: 'all', rate: '1/h', burst: 3 }, by);
    const declared = { scope: 'agent' as const, subject: 'a', rate: '1/h', burst: 1 };
    const subjects = [{ scope: 'tenant' as const, subject: 'all' }];
    const take = (buckets: (typeof declared)[]) =>
      withTransaction(pool, (tx) => takeRate(tx, 'several', { subjects, declared: buckets, queued: true }));
    const both = [declared];
    expect(await take(both)).toEqual({ ok: true });
    for (let i = 0; i < 5; i++) expect(await take(both)).toMatchObject({ ok: false, scope: 'agent' });
    const tenantOnly: [] = [];
    expect([await take(tenantOnly), await take(tenantOnly)]).toEqual([{ ok: true }, { ok: true }]);
    expect(await take(tenantOnly)).toMatchObject({ ok: false, scope: 'tenant' });
  });
});
