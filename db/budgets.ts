// Accounts of what may be used within a period. Reserving, using and giving back are one statement each: whoever changes
// a row holds its lock, rows are locked in one order, and what two calls want at once one of them gets.
import type { BudgetPeriod, BudgetScope } from '../contracts/limits.js';
import type { Actor } from '../contracts/events.js';
import type { PoolClient, Queryable } from './pool.js';

/** Whose accounts a call is charged to. */
export interface Account {
  tenantId: string;
  agentName: string;
  /** Of the tree that the run is in. */
  rootRunId: string;
  model?: string;
  tool?: string;
}

export interface Amounts {
  costNanoUsd: number;
  tokens: number;
}

/** A limit in the way of a call. */
export interface ShortBudget {
  scope: BudgetScope;
  subject: string;
  period: BudgetPeriod;
  dimension: 'costUsd' | 'tokens' | 'steps' | 'toolCalls';
  /** Used up; otherwise calls under way hold the rest and may give some back. */
  exhausted: boolean;
  /** Of the period; null: it never ends. */
  endsAt: Date | null;
}

const WINDOW = `CASE period WHEN 'day' THEN date_trunc('day', now(), 'UTC')
  WHEN 'month' THEN date_trunc('month', now(), 'UTC') ELSE '-infinity'::timestamptz END`;
const ENDS_AT = `CASE period WHEN 'day' THEN date_trunc('day', now(), 'UTC') + interval '1 day'
  WHEN 'month' THEN (date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC' END`;

/** Parameters 1 to 5: tenant, agent, root run, model, tool. */
const LOCKED = `locked AS MATERIALIZED (
  SELECT *, window_start = ${WINDOW} same, ${WINDOW} present, ${ENDS_AT} ends_at FROM budgets
  WHERE tenant_id = $1 AND (scope = 'tenant' OR (scope = 'agent' AND subject = $2) OR (scope = 'run' AND subject = $3)
    OR (scope = 'model' AND subject = $4) OR (scope = 'tool' AND subject = $5))
  ORDER BY scope, subject, period FOR UPDATE)`;
const accountValues = (a: Account): unknown[] => [
  a.tenantId,
  a.agentName,
  a.rootRunId,
  a.model ?? null,
  a.tool ?? null,
];

const SAME_ROW = `b.tenant_id = l.tenant_id AND b.scope = l.scope AND b.subject = l.subject AND b.period = l.period`;
const KEY = `l.scope || '/' || l.subject || '/' || l.period`;
const inWindow = (column: string): string => `CASE WHEN l.same THEN b.${column} ELSE 0 END`;
/** A new period begins with nothing used and nothing added. */
const BEGIN_PERIOD = `window_start = l.present, ${['cost_nano_usd', 'tokens', 'steps', 'tool_calls']
  .map((name) => `extra_${name} = ${inWindow(`extra_${name}`)}`)
  .join(', ')}`;

const dimension = (name: ShortBudget['dimension'], column: string, reserved: string): string =>
  `('${name}', max_${column} + CASE WHEN same THEN extra_${column} ELSE 0 END,
    CASE WHEN same THEN used_${column} ELSE 0 END, ${reserved})`;
const shortOf = (...dimensions: string[]): string => `short AS (
  SELECT scope, subject, period, d.name dimension, d.used >= d.max exhausted, ends_at "endsAt"
  FROM locked, LATERAL (VALUES ${dimensions.join(', ')}) AS d (name, max, used, reserved)
  WHERE d.used + d.reserved >= d.max)`;
const SHORT_OF_MODEL_CALL = shortOf(
  dimension('costUsd', 'cost_nano_usd', 'reserved_cost_nano_usd'),
  dimension('tokens', 'tokens', 'reserved_tokens'),
  dimension('steps', 'steps', 'reserved_steps'),
);
const SHORT_OF_TOOL_CALL = shortOf(dimension('toolCalls', 'tool_calls', '0'));

/**
 * Reserves for a model call from all of its accounts, or from none: then the limits in the way come back. An attempt
 * after the one that reserved has what it needs.
 */
export async function reserveModelCall(
  tx: PoolClient,
  account: Account,
  call: { agentRunId: string; step: number; atMost: Amounts },
): Promise<ShortBudget[]> {
  const { rows } = await tx.query<ShortBudget>(
    `WITH ${LOCKED}, ${SHORT_OF_MODEL_CALL},
     mine AS (SELECT 1 FROM budget_reservations WHERE agent_run_id = $6 AND step = $7),
     taken AS (
       UPDATE budgets b SET reserved_cost_nano_usd = b.reserved_cost_nano_usd + $8,
         reserved_tokens = b.reserved_tokens + $9, reserved_steps = b.reserved_steps + 1
       FROM locked l WHERE ${SAME_ROW} AND NOT EXISTS (SELECT FROM short) AND NOT EXISTS (SELECT FROM mine)
       RETURNING ${KEY} AS key
     ), kept AS (
       INSERT INTO budget_reservations (agent_run_id, step, budgets, cost_nano_usd, tokens)
       SELECT $6, $7, array_agg(key), $8, $9 FROM taken HAVING count(*) > 0
     )
     SELECT * FROM short WHERE NOT EXISTS (SELECT FROM mine)`,
    [...accountValues(account), call.agentRunId, call.step, call.atMost.costNanoUsd, call.atMost.tokens],
  );
  return rows;
}

/** Charges what was used. `done`: the reservation of the call goes back. */
export async function chargeBudgets(
  tx: PoolClient,
  account: Account,
  call: { agentRunId: string; step: number; used: Amounts & { steps: number }; done: boolean },
): Promise<void> {
  await tx.query(
    `WITH mine AS (DELETE FROM budget_reservations WHERE agent_run_id = $6 AND step = $7 AND $11::bool RETURNING *),
     ${LOCKED}
     UPDATE budgets b SET ${BEGIN_PERIOD},
       used_cost_nano_usd = ${inWindow('used_cost_nano_usd')} + $8, used_tokens = ${inWindow('used_tokens')} + $9,
       used_steps = ${inWindow('used_steps')} + $10, used_tool_calls = ${inWindow('used_tool_calls')},
       reserved_cost_nano_usd = greatest(0, b.reserved_cost_nano_usd - coalesce(m.cost_nano_usd, 0)),
       reserved_tokens = greatest(0, b.reserved_tokens - coalesce(m.tokens, 0)),
       reserved_steps = greatest(0, b.reserved_steps - CASE WHEN m.agent_run_id IS NULL THEN 0 ELSE 1 END)
     FROM locked l LEFT JOIN mine m ON ${KEY} = ANY (m.budgets) WHERE ${SAME_ROW}`,
    [
      ...accountValues(account),
      call.agentRunId,
      call.step,
      call.used.costNanoUsd,
      call.used.tokens,
      call.used.steps,
      call.done,
    ],
  );
}

/** Counts a tool call against all of its accounts, or against none: then the limits in the way come back. */
export async function spendToolCall(tx: PoolClient, account: Account): Promise<ShortBudget[]> {
  const { rows } = await tx.query<ShortBudget>(
    `WITH ${LOCKED}, ${SHORT_OF_TOOL_CALL}, spent AS (
       UPDATE budgets b SET ${BEGIN_PERIOD},
         used_cost_nano_usd = ${inWindow('used_cost_nano_usd')}, used_tokens = ${inWindow('used_tokens')},
         used_steps = ${inWindow('used_steps')}, used_tool_calls = ${inWindow('used_tool_calls')} + 1
       FROM locked l WHERE ${SAME_ROW} AND NOT EXISTS (SELECT FROM short)
     )
     SELECT * FROM short`,
    accountValues(account),
  );
  return rows;
}

/** Gives back what calls of a run had reserved when it ended. */
export async function releaseReservations(tx: PoolClient, tenantId: string, agentRunId: string): Promise<void> {
  await tx.query(
    `WITH mine AS (DELETE FROM budget_reservations WHERE agent_run_id = $2 RETURNING *),
     l AS MATERIALIZED (
       SELECT * FROM budgets l WHERE tenant_id = $1 AND ${KEY} IN (SELECT unnest(budgets) FROM mine)
       ORDER BY scope, subject, period FOR UPDATE
     ), sums AS (SELECT key, sum(cost_nano_usd) cost, sum(tokens) tokens, count(*) calls
       FROM mine, unnest(budgets) key GROUP BY key)
     UPDATE budgets b SET reserved_cost_nano_usd = greatest(0, b.reserved_cost_nano_usd - s.cost),
       reserved_tokens = greatest(0, b.reserved_tokens - s.tokens), reserved_steps = greatest(0, b.reserved_steps - s.calls)
     FROM l JOIN sums s ON s.key = ${KEY} WHERE ${SAME_ROW}`,
    [tenantId, agentRunId],
  );
}

export interface BudgetRow {
  scope: BudgetScope;
  subject: string;
  period: BudgetPeriod;
  max: Record<Dimension, number | null>;
  used: Record<Dimension, number>;
  extra: Record<Dimension, number>;
  reserved: Record<Exclude<Dimension, 'toolCalls'>, number>;
  from: Date | null;
  endsAt: Date | null;
}
type Dimension = 'costNanoUsd' | 'tokens' | 'steps' | 'toolCalls';

const jsonOf = (prefix: string, now = false): string => {
  const column = (name: string): string =>
    now ? `CASE WHEN window_start = ${WINDOW} THEN ${prefix}_${name} ELSE 0 END` : `${prefix}_${name}`;
  return `json_build_object('costNanoUsd', ${column('cost_nano_usd')}, 'tokens', ${column('tokens')},
    'steps', ${column('steps')}${prefix === 'reserved' ? '' : `, 'toolCalls', ${column('tool_calls')}`})`;
};
const BUDGET = `scope, subject, period, ${jsonOf('max')} max, ${jsonOf('used', true)} used, ${jsonOf('extra', true)} extra,
  ${jsonOf('reserved')} reserved, CASE WHEN period <> 'total' THEN ${WINDOW} END "from", ${ENDS_AT} "endsAt"`;

export interface BudgetKey {
  tenantId: string;
  scope: BudgetScope;
  subject: string;
  period: BudgetPeriod;
}
const keyValues = (key: BudgetKey): string[] => [key.tenantId, key.scope, key.subject, key.period];
const AT_KEY = 'tenant_id = $1 AND scope = $2 AND subject = $3 AND period = $4';

export async function findBudget(db: Queryable, key: BudgetKey): Promise<BudgetRow | undefined> {
  const { rows } = await db.query<BudgetRow>(`SELECT ${BUDGET} FROM budgets WHERE ${AT_KEY}`, keyValues(key));
  return rows[0];
}

/** All of a tenant that operators set; of trees of runs only the one that is asked for. */
export async function listBudgets(db: Queryable, tenantId: string, rootRunId?: string): Promise<BudgetRow[]> {
  const { rows } = await db.query<BudgetRow>(
    `SELECT ${BUDGET} FROM budgets
     WHERE tenant_id = $1 AND CASE WHEN $2::text IS NULL THEN scope <> 'run' ELSE scope = 'run' AND subject = $2 END
     ORDER BY scope, subject, period`,
    [tenantId, rootRunId ?? null],
  );
  return rows;
}

/** Sets the limits and keeps what was used. */
export async function putBudget(
  db: Queryable,
  key: BudgetKey,
  max: Partial<Record<Dimension, number>>,
  by: Actor,
): Promise<void> {
  await db.query(
    `INSERT INTO budgets (tenant_id, scope, subject, period, max_cost_nano_usd, max_tokens, max_steps, max_tool_calls,
       updated_by)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     ON CONFLICT (tenant_id, scope, subject, period) DO UPDATE SET max_cost_nano_usd = $5, max_tokens = $6,
       max_steps = $7, max_tool_calls = $8, updated_by = $9, updated_at = now()`,
    [
      ...keyValues(key),
      max.costNanoUsd ?? null,
      max.tokens ?? null,
      max.steps ?? null,
      max.toolCalls ?? null,
      JSON.stringify(by),
    ],
  );
}

export async function deleteBudget(db: Queryable, key: BudgetKey): Promise<boolean> {
  const { rowCount } = await db.query(`DELETE FROM budgets WHERE ${AT_KEY}`, keyValues(key));
  return rowCount === 1;
}

/** Adds to the limits of the present period. False: there is no such budget. */
export async function topUpBudget(
  db: Queryable,
  key: BudgetKey,
  extra: Partial<Record<Dimension, number>>,
  by: Actor,
): Promise<boolean> {
  const columns = ['cost_nano_usd', 'tokens', 'steps', 'tool_calls'];
  const now = (column: string): string => `CASE WHEN window_start = ${WINDOW} THEN ${column} ELSE 0 END`;
  const { rowCount } = await db.query(
    `UPDATE budgets SET window_start = ${WINDOW}, updated_by = $9, updated_at = now(),
       ${columns.map((name) => `used_${name} = ${now(`used_${name}`)}`).join(', ')},
       ${columns.map((name, i) => `extra_${name} = ${now(`extra_${name}`)} + $${i + 5}`).join(', ')}
     WHERE ${AT_KEY}`,
    [
      ...keyValues(key),
      extra.costNanoUsd ?? 0,
      extra.tokens ?? 0,
      extra.steps ?? 0,
      extra.toolCalls ?? 0,
      JSON.stringify(by),
    ],
  );
  return rowCount === 1;
}

/** The account of a tree of runs, from its root's limits and what the tree has used so far. Kept if it is there. */
export async function openTreeBudget(tx: PoolClient, rootRunId: string): Promise<void> {
  await tx.query(
    `INSERT INTO budgets (tenant_id, scope, subject, period, max_cost_nano_usd, max_tokens, max_steps, max_tool_calls,
       used_cost_nano_usd, used_tokens, used_steps, used_tool_calls)
     SELECT root.tenant_id, 'run', root.id, 'total', root.max_cost_nano_usd, root.max_tokens, root.max_steps,
       root.max_tool_calls, sum(r.cost_nano_usd),
       sum(r.input_tokens + r.output_tokens + r.cache_read_tokens + r.cache_write_tokens), sum(r.steps), sum(r.tool_calls)
     FROM agent_runs root JOIN agent_runs r ON r.id = root.id OR r.root_run_id = root.id
     WHERE root.id = $1 GROUP BY root.id
     ON CONFLICT DO NOTHING`,
    [rootRunId],
  );
}

/** The limits of the run at the root are those of its tree. */
export async function setTreeLimits(
  tx: PoolClient,
  rootRunId: string,
  limits: { maxSteps: number; maxTokens: number; maxCostNanoUsd: number; maxToolCalls: number },
): Promise<void> {
  await tx.query(
    `UPDATE budgets SET max_cost_nano_usd = $2, max_tokens = $3, max_steps = $4, max_tool_calls = $5, updated_at = now()
     WHERE scope = 'run' AND subject = $1`,
    [rootRunId, limits.maxCostNanoUsd, limits.maxTokens, limits.maxSteps, limits.maxToolCalls],
  );
}
