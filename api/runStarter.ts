// From a run's row to its workflow. The row comes first; whatever dies in between, the sweep starts the workflow later.
import type { Logger } from 'pino';
import { findAgentVersion } from '../db/agents.js';
import type { Pool } from '../db/pool.js';
import { type RunRow, findRun, markWorkflowStarted, unstartedRuns, usedOf } from '../db/runs.js';
import { runControlOf } from '../harness/runControl.js';
import type { ApiDeps } from './deps.js';
import { isServerTrouble } from './errors.js';

type StarterDeps = Pick<ApiDeps, 'pool' | 'workflows' | 'log'>;

/** Idempotent: a workflow that is there already is left alone. */
export async function startWorkflow({ pool, workflows }: StarterDeps, run: RunRow): Promise<void> {
  const agent = await findAgentVersion(pool, run.tenantId, run.agentName, run.agentVersion);
  if (!agent) throw new Error(`agent ${run.agentName}@${run.agentVersion} is not stored`);
  await workflows.start(
    { agentRunId: run.id, control: runControlOf(run, agent.definition, usedOf(run)) },
    run.execution,
  );
  // Read again: a cancel that came before the workflow found nothing to cancel, one that comes from now on does.
  const now = await findRun(pool, run.id);
  if (now?.cancelRequested) await workflows.cancel(run.id);
  await markWorkflowStarted(pool, run.id);
}

/** Like startWorkflow, but trouble is only logged: the run is stored and the sweep will start it. */
export async function tryStartWorkflow(deps: StarterDeps, run: RunRow): Promise<void> {
  try {
    await startWorkflow(deps, run);
  } catch (err) {
    deps.log.warn({ err, agentRunId: run.id }, 'the workflow could not be started yet; the sweep tries again');
  }
}

const SWEEP_MS = 2000;
/** Younger runs are being started by the process that made them. In milliseconds. */
const MIN_AGE_MS = 3000;
const BATCH = 100;

export async function sweepOnce(deps: StarterDeps, olderThanMs = MIN_AGE_MS): Promise<number> {
  const runs = await unstartedRuns(deps.pool, olderThanMs, BATCH);
  let started = 0;
  for (const run of runs) {
    try {
      await startWorkflow(deps, run);
      deps.log.info({ agentRunId: run.id }, 'the sweep started a run that had no workflow');
      started += 1;
    } catch (err) {
      if (isServerTrouble(err)) throw err; // the rest would only wait as long
      deps.log.error({ err, agentRunId: run.id }, 'the sweep cannot start this run; the others go on');
    }
  }
  return started;
}

/** Sweeps until stopped. Several processes may do so at once. */
export function startSweep(deps: { pool: Pool; workflows: ApiDeps['workflows']; log: Logger }): {
  stop(): Promise<void>;
} {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let sweeping = Promise.resolve();
  const next = (): void => {
    if (stopped) return;
    timer = setTimeout(() => {
      sweeping = sweep();
    }, SWEEP_MS);
  };
  const sweep = async (): Promise<void> => {
    await sweepOnce(deps).catch((err: unknown) => deps.log.warn({ err }, 'the sweep failed; it tries again'));
    next();
  };
  next();
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await sweeping;
    },
  };
}
