// Runs that were stored and never got a workflow: a process died in between, or Temporal was away.
import type { Logger } from 'pino';
import { isServerTrouble } from '../api/errors.js';
import { startWorkflow } from '../api/runStarter.js';
import type { RunWorkflows } from '../api/temporal.js';
import type { Pool } from '../db/pool.js';
import { unstartedRuns } from '../db/runs.js';
import type { Finding } from '../db/sweeps.js';
import type { Sweep } from './sweep.js';

export interface StarterDeps {
  pool: Pool;
  workflows: RunWorkflows;
  log: Logger;
}

/** Younger runs are being started by the process that made them. In milliseconds. */
const MIN_AGE_MS = 3000;
const BATCH = 100;

export const runsWithoutWorkflow = (deps: StarterDeps): Sweep => ({
  name: 'runs-without-workflow',
  run: () => startMissingWorkflows(deps, MIN_AGE_MS),
});

export async function startMissingWorkflows(deps: StarterDeps, olderThanMs: number): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const run of await unstartedRuns(deps.pool, olderThanMs, BATCH)) {
    try {
      if (await startWorkflow(deps, run, { by: 'housekeeping' })) {
        findings.push({ tenantId: run.tenantId, text: `${run.id} had no workflow; started` });
      }
    } catch (err) {
      if (isServerTrouble(err)) throw err; // the rest would only wait as long
      deps.log.error({ err, agentRunId: run.id }, 'housekeeping cannot start this run; the others go on');
    }
  }
  return findings;
}
