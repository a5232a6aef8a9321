// Token buckets, shared by all workers: a call takes a token or is told when to come back. One statement; the clock is
// the database's.
import type { Actor } from '../contracts/events.js';
import type { RateScope } from '../contracts/limits.js';
import { perSecond } from '../contracts/rate.js';
import type { PoolClient, Queryable } from './pool.js';

export interface RateSubject {
  scope: RateScope;
  subject: string;
}

export interface DeclaredBucket extends RateSubject {
  rate: string;
  burst: number;
}

export type TakenRate = { ok: true } | { ok: false; waitMs: number; scope: RateScope; subject: string; rate: string };

export interface Taking {
  /** Whose rates count that operators have set. */
  subjects: readonly RateSubject[];
  /** What the agent file says. A bucket that it declared once and no longer does counts no more. */
  declared: readonly DeclaredBucket[];
  /** The caller was here before and comes back at its time; others stand behind those who wait. */
  queued: boolean;
}

/**
 * Takes a token from every bucket, or from none. Within any time W no more than burst + rate · W calls pass. One
 * statement, and two more where an agent file declares a rate that is not known yet or was another one.
 */
export async function takeRate(
  tx: PoolClient,
  tenantId: string,
  { subjects, declared, queued }: Taking,
): Promise<TakenRate> {
  const wanted = [
    ...subjects.map((s) => ({ ...s, declared: false })),
    ...declared.map((s) => ({ ...s, declared: true })),
  ];
  const taken = await takeTokens(tx, tenantId, wanted, queued);
  const isKnown = (bucket: DeclaredBucket): boolean =>
    taken.some((row) => row.declared && row.scope === bucket.scope && row.subject === bucket.subject);
  const isChanged = (bucket: DeclaredBucket): boolean =>
    taken.some(
      (row) =>
        row.declared &&
        row.scope === bucket.scope &&
        row.subject === bucket.subject &&
        (row.rate !== bucket.rate || row.burst !== bucket.burst),
    );
  const toDeclare = declared.filter((bucket) => !isKnown(bucket) || isChanged(bucket));
  if (toDeclare.length > 0) await declareRates(tx, tenantId, toDeclare);
  const refused = refusalIn(taken);
  if (refused) return refused;
  const unknown = declared.filter((bucket) => !isKnown(bucket)).map((s) => ({ ...s, declared: true }));
  if (unknown.length === 0) return { ok: true };
  return refusalIn(await takeTokens(tx, tenantId, unknown, queued)) ?? { ok: true };
}

function refusalIn(rows: readonly TokenRow[]): TakenRate | undefined {
  const [longest] = rows.filter((row) => row.short).toSorted((a, b) => b.waitMs - a.waitMs);
  if (!longest) return undefined;
  const { scope, subject, rate } = longest;
  return { ok: false, waitMs: Math.max(1, longest.waitMs), scope, subject, rate };
}

interface TokenRow extends DeclaredBucket {
  declared: boolean;
  short: boolean;
  waitMs: number;
}

async function takeTokens(
  tx: PoolClient,
  tenantId: string,
  buckets: readonly (RateSubject & { declared: boolean })[],
  queued: boolean,
): Promise<TokenRow[]> {
  const { rows } = await tx.query<TokenRow>(
    `WITH locked AS MATERIALIZED (
       SELECT * FROM rates WHERE tenant_id = $1 AND (scope, subject, declared)
         IN (SELECT * FROM unnest($2::text[], $3::text[], $6::bool[]))
       ORDER BY scope, subject, declared FOR UPDATE
     ), clock AS MATERIALIZED ( -- read once all locks are held
       SELECT clock_timestamp() now FROM (SELECT count(*) FROM locked) held
     ), filled AS (
       SELECT l.*, now, least(burst, tokens + greatest(0, extract(epoch FROM now - refilled_at)) * per_second) t,
         queue_until > now AND NOT $4 blocked
       FROM locked l, clock
     ), judged AS (
       SELECT *, blocked OR t < $5 short, bool_or(blocked OR t < $5) OVER () refused FROM filled
     ), next AS (
       SELECT *, CASE WHEN short THEN greatest(queue_until, now + make_interval(secs => (greatest(0, 1 - t) - 1) / per_second))
         + make_interval(secs => 1 / per_second) ELSE queue_until END ticket
       FROM judged
     )
     UPDATE rates r SET tokens = n.t - CASE WHEN n.refused THEN 0 ELSE 1 END,
       refilled_at = greatest(r.refilled_at, n.now), queue_until = CASE WHEN n.refused THEN n.ticket ELSE n.queue_until END
     FROM next n
     WHERE r.tenant_id = n.tenant_id AND r.scope = n.scope AND r.subject = n.subject AND r.declared = n.declared
     RETURNING r.scope, r.subject, r.declared, r.rate, r.burst, n.short,
       ceil(extract(epoch FROM n.ticket - n.now) * 1000)::float8 "waitMs"`,
    [
      tenantId,
      buckets.map((b) => b.scope),
      buckets.map((b) => b.subject),
      queued,
      1 - 1e-9,
      buckets.map((b) => b.declared),
    ],
  );
  return rows;
}

/** Makes the buckets that an agent file declares, or gives them the rates that it has now. In one order, for locks. */
async function declareRates(tx: PoolClient, tenantId: string, buckets: readonly DeclaredBucket[]): Promise<void> {
  const ordered = buckets.toSorted((a, b) => (`${a.scope}/${a.subject}` < `${b.scope}/${b.subject}` ? -1 : 1));
  await tx.query(
    `INSERT INTO rates (tenant_id, scope, subject, declared, rate, per_second, burst, tokens)
     SELECT $1, scope, subject, true, rate, per_second, burst, burst
     FROM unnest($2::text[], $3::text[], $4::text[], $5::float8[], $6::float8[])
       AS b (scope, subject, rate, per_second, burst)
     ON CONFLICT (tenant_id, scope, subject, declared) DO UPDATE SET rate = EXCLUDED.rate,
       per_second = EXCLUDED.per_second, burst = EXCLUDED.burst, updated_at = now()
       WHERE (rates.rate, rates.burst) IS DISTINCT FROM (EXCLUDED.rate, EXCLUDED.burst)`,
    [
      tenantId,
      ordered.map((b) => b.scope),
      ordered.map((b) => b.subject),
      ordered.map((b) => b.rate),
      ordered.map((b) => perSecond(b.rate)),
      ordered.map((b) => b.burst),
    ],
  );
}

/** Sets an operator's rate. What is in the bucket stays; a new one is full. */
export async function putRate(
  db: Queryable,
  tenantId: string,
  { scope, subject, rate, burst }: DeclaredBucket,
  by: Actor,
): Promise<void> {
  await db.query(
    `INSERT INTO rates (tenant_id, scope, subject, declared, rate, per_second, burst, tokens, updated_by)
     VALUES ($1, $2, $3, false, $4, $5, $6, $6, $7)
     ON CONFLICT (tenant_id, scope, subject, declared) DO UPDATE SET rate = $4, per_second = $5, burst = $6,
       tokens = least(rates.tokens, $6), queue_until = '-infinity', updated_by = $7, updated_at = now()`,
    [tenantId, scope, subject, rate, perSecond(rate), burst, JSON.stringify(by)],
  );
}

export async function deleteRate(db: Queryable, tenantId: string, { scope, subject }: RateSubject): Promise<boolean> {
  const { rowCount } = await db.query(
    'DELETE FROM rates WHERE tenant_id = $1 AND scope = $2 AND subject = $3 AND NOT declared',
    [tenantId, scope, subject],
  );
  return rowCount === 1;
}

export interface RateRow extends DeclaredBucket {
  declared: boolean;
}

export async function listRates(db: Queryable, tenantId: string): Promise<RateRow[]> {
  const { rows } = await db.query<RateRow>(
    'SELECT scope, subject, rate, burst, declared FROM rates WHERE tenant_id = $1 ORDER BY scope, subject, declared',
    [tenantId],
  );
  return rows;
}
