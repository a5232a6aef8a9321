// The sweeps that every API process runs. One that needs the disk of a worker is in worker/main.ts.
import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';
import type { Audit } from '../api/signHeads.js';
import type { RunWorkflows } from '../api/temporal.js';
import type { Pool } from '../db/pool.js';
import { checkpoints } from './checkpoints.js';
import { deadWorkers } from './deadWorkers.js';
import { runsWithLostWorkflow, terminatedWorkflows } from './endedOutside.js';
import { lostCancellations } from './lostCancellations.js';
import { oldIdempotencyKeys } from './oldIdempotencyKeys.js';
import { runsWithoutWorkflow } from './runsWithoutWorkflow.js';
import type { Sweep } from './sweep.js';
import { createTemporalView } from './temporalView.js';
import { undosWithoutWorkflow } from './undosWithoutWorkflow.js';
import { workflowsWithoutRun } from './workflowsWithoutRun.js';

export function apiSweeps(deps: {
  pool: Pool;
  client: Client;
  workflows: RunWorkflows;
  audit: Audit;
  log: Logger;
}): Sweep[] {
  const all = { ...deps, temporal: createTemporalView(deps.client) };
  return [
    runsWithoutWorkflow(all),
    undosWithoutWorkflow(all),
    lostCancellations(all),
    terminatedWorkflows(all),
    runsWithLostWorkflow(all),
    workflowsWithoutRun(all),
    checkpoints(deps),
    deadWorkers(deps.pool),
    oldIdempotencyKeys(deps.pool),
  ];
}
