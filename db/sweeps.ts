// What housekeeping did last, and the identity of this database.
import type { Pool, Queryable } from './pool.js';

/** One thing that a sweep found and did. tenantId is null where it is nobody's in particular. */
export interface Finding {
  tenantId: string | null;
  text: string;
}

export interface SweepRow {
  name: string;
  place: string;
  lastRunAt: Date;
  tookMs: number;
  error: string | null;
  foundAt: Date | null;
  found: number | null;
  findings: Finding[] | null;
}

/** Kept of one run of a sweep. */
const MAX_FINDINGS = 20;

export async function recordSweep(
  db: Queryable,
  sweep: { name: string; place: string; tookMs: number; findings: readonly Finding[]; error?: string },
): Promise<void> {
  const { findings } = sweep;
  await db.query(
    `INSERT INTO sweeps (name, place, last_run_at, took_ms, error, found_at, found, findings)
     VALUES ($1, $2, now(), $3, $4, CASE WHEN $5 > 0 THEN now() END, nullif($5, 0), $6)
     ON CONFLICT (name, place) DO UPDATE SET last_run_at = now(), took_ms = EXCLUDED.took_ms, error = EXCLUDED.error,
       found_at = coalesce(EXCLUDED.found_at, sweeps.found_at), found = coalesce(EXCLUDED.found, sweeps.found),
       findings = coalesce(EXCLUDED.findings, sweeps.findings)`,
    [
      sweep.name,
      sweep.place,
      sweep.tookMs,
      sweep.error?.slice(0, 500) ?? null,
      findings.length,
      findings.length === 0 ? null : JSON.stringify(findings.slice(0, MAX_FINDINGS)),
    ],
  );
}

/** Did one run within this time, and come to its end? */
export async function sweptWithin(db: Queryable, name: string, place: string, ms: number): Promise<boolean> {
  const { rows } = await db.query<{ recent: boolean }>(
    `SELECT error IS NULL AND last_run_at > now() - $3 * interval '1 millisecond' recent FROM sweeps WHERE name = $1 AND place = $2`,
    [name, place, ms],
  );
  return rows[0]?.recent === true;
}

export async function listSweeps(db: Queryable): Promise<SweepRow[]> {
  const { rows } = await db.query<SweepRow>(
    `SELECT name, place, last_run_at "lastRunAt", took_ms "tookMs", error, found_at "foundAt", found, findings
     FROM sweeps ORDER BY name, place`,
  );
  return rows;
}

const known = new WeakMap<Pool, Promise<string>>();

/** Stays the same for the life of the database, through backup and restore. */
export async function installationId(pool: Pool): Promise<string> {
  const id =
    known.get(pool) ??
    pool.query<{ id: string }>('SELECT id FROM installation').then(({ rows }) => (rows[0] as { id: string }).id);
  known.set(pool, id);
  id.catch(() => known.delete(pool));
  return id;
}
