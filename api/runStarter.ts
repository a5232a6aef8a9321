// From a run's row to its workflow. The row comes first; whatever dies in between, housekeeping starts the workflow.
import type { AgentDefinition } from '../contracts/agent.js';
import { systemActor } from '../contracts/events.js';
import { findAgentVersion } from '../db/agents.js';
import { appendEvents } from '../db/events.js';
import { type Pool, withTransaction } from '../db/pool.js';
import { type RunRow, findRun, lockRun, markWorkflowStarted, usedOf } from '../db/runs.js';
import { installationId } from '../db/sweeps.js';
import { runControlOf } from '../harness/runControl.js';
import type { ApiDeps } from './deps.js';

type StarterDeps = Pick<ApiDeps, 'pool' | 'workflows' | 'log'>;

/** Idempotent: a workflow that is there already is left alone. False: another process was first. */
export async function startWorkflow(
  { pool, workflows }: Omit<StarterDeps, 'log'>,
  run: RunRow,
  { by = 'api', agent }: { by?: 'api' | 'housekeeping'; agent?: AgentDefinition } = {},
): Promise<boolean> {
  const definition = agent ?? (await agentOf(pool, run));
  const input = { agentRunId: run.id, control: runControlOf(run, definition, usedOf(run)) };
  await workflows.start(input, run.execution, await installationId(pool));
  // Read again: a cancel that came before the workflow found nothing to cancel, one that comes from now on does.
  const now = await findRun(pool, run.id);
  if (now?.cancelRequested) await workflows.cancel(run.id);
  if (by === 'api') return markWorkflowStarted(pool, run.id);
  return withTransaction(pool, async (tx) => {
    const locked = await lockRun(tx, run.id);
    if (!(await markWorkflowStarted(tx, run.id))) return false;
    const data = { found: 'no workflow', did: 'started it' };
    await appendEvents(tx, locked, [{ type: 'run.repaired', actor: systemActor(by), data }]);
    return true;
  });
}

async function agentOf(pool: Pool, run: RunRow): Promise<AgentDefinition> {
  const agent = await findAgentVersion(pool, run.tenantId, run.agentName, run.agentVersion);
  if (!agent) throw new Error(`agent ${run.agentName}@${run.agentVersion} is not stored`);
  return agent.definition;
}

/** Like startWorkflow, but trouble is only logged: the run is stored and housekeeping will start it. */
export async function tryStartWorkflow(deps: StarterDeps, run: RunRow, agent?: AgentDefinition): Promise<void> {
  try {
    await startWorkflow(deps, run, agent ? { agent } : {});
  } catch (err) {
    deps.log.warn({ err, agentRunId: run.id }, 'the workflow could not be started yet; housekeeping tries again');
  }
}
