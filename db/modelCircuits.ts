// The circuit breaker of each model: one row for all workers, changed under its lock by the rules of harness/limits.
import type { Circuit } from '../harness/limits/circuit.js';
import { type Pool, type PoolClient, type Queryable, atCommit, withTransaction } from './pool.js';

export interface CircuitKey {
  provider: string;
  model: string;
}

const ms = (column: string): string => `(extract(epoch from ${column}) * 1000)::float8`;
const COLUMNS = `failed_runs "failedRuns", ${ms('last_failed_at')} "lastFailedAt", reason, ${ms('opened_at')} "openedAt",
  ${ms('closed_at')} "closedAt", trips, ${ms('probe_at')} "probeAt", probe_by "probeBy", ${ms('probe_until')} "probeUntil",
  probes, ${ms('wake_at')} "wakeAt", ${ms('clock_timestamp()')} "now"`;

type Read = Circuit & { now: number };

/** Of all models that are in trouble: a few rows, mostly none. */
export async function troubledCircuits(db: Queryable): Promise<(CircuitKey & Read)[]> {
  const { rows } = await db.query<CircuitKey & Read>(
    `SELECT provider, model, ${COLUMNS} FROM model_circuits
     WHERE opened_at IS NOT NULL OR failed_runs <> '{}' OR trips > 0`,
  );
  return rows;
}

export async function findCircuit(db: Queryable, { provider, model }: CircuitKey): Promise<Circuit | undefined> {
  const { rows } = await db.query<Circuit>(`SELECT ${COLUMNS} FROM model_circuits WHERE provider = $1 AND model = $2`, [
    provider,
    model,
  ]);
  return rows[0];
}

/** Locks the row, made if it is missing, until the transaction ends. Whoever locks a run as well locks the run first. */
async function lockCircuit(tx: PoolClient, { provider, model }: CircuitKey): Promise<Read> {
  atCommit(
    tx,
    tx.query('INSERT INTO model_circuits (provider, model) VALUES ($1, $2) ON CONFLICT DO NOTHING', [provider, model]),
  );
  const { rows } = await tx.query<Read>(
    `SELECT ${COLUMNS} FROM model_circuits WHERE provider = $1 AND model = $2 FOR UPDATE`,
    [provider, model],
  );
  if (!rows[0]) throw new Error(`the circuit of ${provider} ${model} was removed`);
  return rows[0];
}

const time = (parameter: number): string => `to_timestamp($${parameter}::float8 / 1000)`;

async function saveCircuit(tx: PoolClient, { provider, model }: CircuitKey, c: Circuit): Promise<void> {
  await tx.query(
    `UPDATE model_circuits SET failed_runs = $3, last_failed_at = ${time(4)}, reason = $5, opened_at = ${time(6)},
       closed_at = ${time(7)}, trips = $8, probe_at = ${time(9)}, probe_by = $10, probe_until = ${time(11)}, probes = $12,
       wake_at = ${time(13)}
     WHERE provider = $1 AND model = $2`,
    [
      provider,
      model,
      c.failedRuns,
      c.lastFailedAt,
      c.reason.slice(0, 2000),
      c.openedAt,
      c.closedAt,
      c.trips,
      c.probeAt,
      c.probeBy,
      c.probeUntil,
      c.probes,
      c.wakeAt,
    ],
  );
}

/** `change` is given PostgreSQL's time; a circuit that it returns as it was is not written. */
export async function changeCircuitIn<C extends Circuit>(
  tx: PoolClient,
  key: CircuitKey,
  change: (circuit: Circuit, now: number) => C,
): Promise<{ before: Circuit; after: C; now: number }> {
  const { now, ...before } = await lockCircuit(tx, key);
  const after = change(before, now);
  if (after !== before) atCommit(tx, saveCircuit(tx, key, after));
  return { before, after, now };
}

/** In a transaction of its own. */
export const changeCircuit = <C extends Circuit>(
  pool: Pool,
  key: CircuitKey,
  change: (circuit: Circuit, now: number) => C,
): Promise<{ before: Circuit; after: C; now: number }> =>
  withTransaction(pool, (tx) => changeCircuitIn(tx, key, change));
