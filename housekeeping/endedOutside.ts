// Runs whose workflow was ended by somebody or something else: terminated in Temporal's UI, timed out, deleted.
import { type RunOutcome, type RunStopReason, isClosed } from '../contracts/agentRun.js';
import { endRun } from '../activities/closeRun.js';
import { type Pool, withTransaction } from '../db/pool.js';
import { lockRun, openRunsWithWorkflow } from '../db/runs.js';
import type { Finding } from '../db/sweeps.js';
import { type Sweep, minutes } from './sweep.js';
import type { LatestExecution, TemporalView } from './temporalView.js';

export interface OutsideDeps {
  pool: Pool;
  temporal: TemporalView;
}

/** How far back the list of ended workflows is read. What is older, the full comparison finds. */
const LOOK_BACK_MS = minutes(15);
/** A workflow that was just started may not stand in Temporal's list yet. */
const LIST_LAG_MS = minutes(1);
const PAGE = 1000;

export const terminatedWorkflows = (deps: OutsideDeps): Sweep => ({
  name: 'terminated-workflows',
  run: () => stopTerminated(deps),
});

export const runsWithLostWorkflow = (deps: OutsideDeps): Sweep => ({
  name: 'runs-with-lost-workflow',
  run: () => stopLost(deps, LIST_LAG_MS),
});

export async function stopTerminated(deps: OutsideDeps): Promise<Finding[]> {
  const suspects = new Set<string>();
  for await (const id of deps.temporal.endedOutside(new Date(Date.now() - LOOK_BACK_MS))) suspects.add(id);
  return stopAll(deps, suspects);
}

export async function stopLost(deps: OutsideDeps, olderThanMs: number): Promise<Finding[]> {
  // The rows first: a run that ends meanwhile is looked up once more, one that begins is not missed.
  const suspects = new Set<string>();
  for (let after = ''; ;) {
    const page = await openRunsWithWorkflow(deps.pool, olderThanMs, after, PAGE);
    for (const id of page) suspects.add(id);
    if (page.length < PAGE) break;
    after = page.at(-1) ?? after;
  }
  if (suspects.size === 0) return [];
  for await (const { agentRunId } of deps.temporal.openWorkflows()) suspects.delete(agentRunId);
  return stopAll(deps, suspects);
}

async function stopAll(deps: OutsideDeps, suspects: Iterable<string>): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const id of suspects) {
    const finding = await stopIfEnded(deps, id);
    if (finding) findings.push(finding);
  }
  return findings;
}

/** Lists lag behind; what is true is asked of the workflow and the row themselves. */
async function stopIfEnded({ pool, temporal }: OutsideDeps, id: string): Promise<Finding | undefined> {
  const open = await withTransaction(pool, async (tx) => stillOpen(await lockRun(tx, id)));
  if (!open) return undefined;
  const latest = await temporal.latest(id);
  // A workflow that was reset is open again under the same id.
  if (latest?.isOpen || (latest?.execution ?? open.execution) > open.execution) return undefined;
  const detail = latest
    ? await temporal.howItEnded(id, latest.temporalRunId)
    : 'Temporal does not know the workflow any more';
  return withTransaction(pool, async (tx) => {
    const run = await lockRun(tx, id);
    if (stillOpen(run)?.execution !== open.execution) return undefined;
    await endRun(tx, run, outcomeOf(latest, detail), 'housekeeping');
    return { tenantId: run.tenantId, text: `${id} was ${run.status} and ${detail}; stopped, resume goes on` };
  });
}

const stillOpen = (run: Awaited<ReturnType<typeof lockRun>>): { execution: number } | undefined =>
  isClosed(run.status) || run.workflowStartedAt === null ? undefined : { execution: run.execution };

const REASONS: Record<string, RunStopReason> = {
  TERMINATED: 'workflow_terminated',
  TIMED_OUT: 'workflow_timed_out',
};

/** A run that somebody wanted cancelled is cancelled, however its workflow ended. */
function outcomeOf(latest: LatestExecution | undefined, detail: string): RunOutcome {
  if (latest?.cancelRequested) return { status: 'cancelled' };
  return { status: 'stopped', reason: REASONS[latest?.status ?? ''] ?? 'workflow_lost', detail };
}
