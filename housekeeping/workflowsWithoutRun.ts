// Workflows of this database whose run it does not have: it was restored from before they began. Nobody could steer
// or close them, so they are ended. Workflows that another database made are left alone.
import type { Logger } from 'pino';
import { type Pool } from '../db/pool.js';
import { knownRuns } from '../db/runs.js';
import { type Finding, installationId } from '../db/sweeps.js';
import { type Sweep, minutes } from './sweep.js';
import type { OpenWorkflow, TemporalView } from './temporalView.js';

export interface StrayDeps {
  pool: Pool;
  temporal: TemporalView;
  log: Logger;
}

/** A row is committed before its workflow starts, so age proves nothing more; it gives an operator time to notice. */
const MIN_AGE_MS = minutes(5);
const PAGE = 500;
const REASON = 'Longhaul housekeeping: the database has no run of this id';

export const workflowsWithoutRun = (deps: StrayDeps): Sweep => ({
  name: 'workflows-without-run',
  run: () => terminateStrays(deps, MIN_AGE_MS),
});

export async function terminateStrays(deps: StrayDeps, olderThanMs: number): Promise<Finding[]> {
  const findings: Finding[] = [];
  let page: OpenWorkflow[] = [];
  const checkPage = async (): Promise<void> => {
    findings.push(...(await checkWorkflows(deps, page)));
    page = [];
  };
  for await (const workflow of deps.temporal.openWorkflows()) {
    if (Date.now() - workflow.startedAt.getTime() < olderThanMs) continue;
    page.push(workflow);
    if (page.length === PAGE) await checkPage();
  }
  await checkPage();
  return findings;
}

async function checkWorkflows({ pool, temporal, log }: StrayDeps, workflows: OpenWorkflow[]): Promise<Finding[]> {
  if (workflows.length === 0) return [];
  const [known, ours] = await Promise.all([
    knownRuns(
      pool,
      workflows.map((w) => w.agentRunId),
    ),
    installationId(pool),
  ]);
  const findings: Finding[] = [];
  for (const workflow of workflows.filter((w) => !known.has(w.agentRunId))) {
    const { workflowId, installation, tenantId } = workflow;
    if (installation !== ours) {
      log.warn({ workflowId, installation }, 'a workflow of another database is in this namespace; left alone');
      continue;
    }
    await temporal.terminate(workflow, REASON);
    findings.push({ tenantId, text: `${workflowId} has no run in this database; terminated` });
  }
  return findings;
}
