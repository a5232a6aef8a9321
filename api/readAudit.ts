// The audit of a tenant read from its beginning: to check it, or to write it out as lines.
import type { AuditReport, Checkpoint } from '../contracts/audit.js';
import { type AuditedEvent, type AuditedRun, eventsToAudit, headsToAudit, runsToAudit } from '../db/auditLog.js';
import { readCheckpoints } from '../db/checkpoints.js';
import { type Pool, withTransaction } from '../db/pool.js';
import { AuditCheck } from '../harness/log/auditCheck.js';
import { AuditEffects } from '../harness/log/auditEffects.js';
import { AuditFileWriter } from '../harness/log/auditFile.js';
import type { Audit } from './signHeads.js';

const CHECKPOINTS_AT_ONCE = 50;
const RUNS_AT_ONCE = 100;
const EVENTS_AT_ONCE = 1000;

export interface AuditScope {
  tenantId: string;
  runId?: string | undefined;
}

export async function verifyAudit(
  { pool, audit }: { pool: Pool; audit: Audit },
  { tenantId, runId }: AuditScope,
): Promise<AuditReport> {
  const check = new AuditCheck({ tenantId, trusted: audit.trusted, runId });
  // What is known from elsewhere is read first: whatever is signed from now on comes on top.
  const last = audit.anchor.last(tenantId);
  for await (const checkpoint of checkpointsOf(pool, tenantId)) check.checkpoint(checkpoint);
  if (last) check.expectCheckpoint(last);
  for await (const { run, event } of logOf(pool, { tenantId, runId })) {
    if (event) check.event(run.id, event);
    else check.endRun(run.id, { seq: run.lastSeq, hash: run.lastHash });
  }
  return check.end();
}

/** Every line ends with a line feed. Content is not in it: events name content by its hash. */
export async function* exportAudit(
  { pool, audit }: { pool: Pool; audit: Audit },
  { tenantId, runId }: AuditScope,
): AsyncGenerator<string> {
  const file = new AuditFileWriter(audit.key);
  yield file.line({
    kind: 'audit',
    format: 1,
    tenantId,
    exportedAt: new Date().toISOString(),
    publicKey: audit.key.publicKey,
    ...(runId === undefined ? {} : { runId }),
  });
  for await (const checkpoint of checkpointsOf(pool, tenantId)) yield file.line({ kind: 'checkpoint', ...checkpoint });
  let effects: AuditEffects | undefined;
  for await (const { run, event } of logOf(pool, { tenantId, runId })) {
    if (event) {
      const { exact: _exact, runId: _run, ...stored } = event;
      effects ??= new AuditEffects(run.id);
      effects.take(stored);
      yield file.line({ kind: 'event', runId: run.id, ...stored });
    } else {
      for (const effect of effects?.all() ?? []) yield file.line({ kind: 'effect', ...effect });
      effects = undefined;
    }
  }
  yield file.end();
}

async function* checkpointsOf(pool: Pool, tenantId: string): AsyncGenerator<Checkpoint> {
  for (let after = 0; ;) {
    const page = await readCheckpoints(pool, tenantId, after, CHECKPOINTS_AT_ONCE);
    yield* page;
    if (page.length < CHECKPOINTS_AT_ONCE) return;
    after = page.at(-1)?.number ?? after;
  }
}

/** Run after run its events, and then the run alone. */
async function* logOf(pool: Pool, { tenantId, runId }: AuditScope): AsyncGenerator<Logged> {
  for (let afterId = ''; ;) {
    const ids = await runsToAudit(pool, tenantId, { afterId, limit: RUNS_AT_ONCE, runId });
    yield* logOfRuns(pool, ids);
    if (ids.length < RUNS_AT_ONCE) return;
    afterId = ids.at(-1) ?? afterId;
  }
}

type Logged = { run: AuditedRun; event?: AuditedEvent };

async function* logOfRuns(pool: Pool, runIds: readonly string[]): AsyncGenerator<Logged> {
  let rest = runIds;
  let after = 0;
  while (rest.length > 0) {
    const { heads, events } = await readPage(pool, rest, after);
    // Of the run with the last event of a full page there may be more; those before it are complete.
    const unfinished = events.length === EVENTS_AT_ONCE ? events.at(-1) : undefined;
    let next = 0;
    for (const id of rest) {
      const run = heads.get(id);
      for (; events[next]?.runId === id; next++) if (run) yield { run, event: events[next] as AuditedEvent };
      if (id === unfinished?.runId) break;
      if (run) yield { run };
    }
    rest = unfinished ? rest.slice(rest.indexOf(unfinished.runId)) : [];
    after = unfinished?.seq ?? 0;
  }
}

/** Rows and events of one moment: runs may go on meanwhile. */
const readPage = (pool: Pool, runIds: readonly string[], after: number) =>
  withTransaction(pool, async (tx) => {
    await tx.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY');
    const [heads, events] = await Promise.all([
      headsToAudit(tx, runIds),
      eventsToAudit(tx, runIds, after, EVENTS_AT_ONCE),
    ]);
    return { heads, events };
  });
