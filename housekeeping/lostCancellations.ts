// Runs that somebody cancelled and whose workflow never heard of it: the API died in between, or Temporal was away.
import type { RunWorkflows } from '../api/temporal.js';
import type { Pool } from '../db/pool.js';
import { runsToBeCancelled } from '../db/runs.js';
import type { Finding } from '../db/sweeps.js';
import { recordRepair } from './recordRepair.js';
import type { Sweep } from './sweep.js';
import type { TemporalView } from './temporalView.js';

export interface CancellationDeps {
  pool: Pool;
  workflows: Pick<RunWorkflows, 'cancel'>;
  temporal: TemporalView;
}

/** Younger requests are on their way. In milliseconds. */
const MIN_AGE_MS = 5000;
const BATCH = 100;

export const lostCancellations = (deps: CancellationDeps): Sweep => ({
  name: 'lost-cancellations',
  run: () => cancelAgain(deps, MIN_AGE_MS),
});

export async function cancelAgain(deps: CancellationDeps, olderThanMs: number): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const id of await runsToBeCancelled(deps.pool, olderThanMs, BATCH)) {
    const execution = await deps.temporal.latest(id);
    if (!execution?.isOpen || execution.cancelRequested) continue;
    // Said first: after the run's last event nobody reads on.
    const repair = { found: 'a workflow that had not heard of the cancel', did: 'cancels it' };
    const tenantId = await recordRepair(deps.pool, id, repair, { onlyOpen: true });
    if (tenantId === undefined || !(await deps.workflows.cancel(id))) continue;
    findings.push({ tenantId, text: `${id} was to be cancelled and its workflow had not heard of it; cancelled` });
  }
  return findings;
}
