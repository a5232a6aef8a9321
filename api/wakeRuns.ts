// After a limit was raised: runs that wait for a budget or a rate are told to look again.
import { runsWaitingForBudget } from '../db/runs.js';
import type { ApiDeps } from './deps.js';

const AT_ONCE = 32;

/** At best: a run that is not reached looks again by itself, within ten minutes. */
export async function wakeRuns({ pool, workflows, log }: ApiDeps, tenantId: string): Promise<number> {
  const ids = await runsWaitingForBudget(pool, tenantId);
  let woken = 0;
  for (let i = 0; i < ids.length; i += AT_ONCE) {
    const told = await Promise.allSettled(ids.slice(i, i + AT_ONCE).map((id) => workflows.limitsChanged(id)));
    for (const one of told) {
      if (one.status === 'rejected')
        log.warn({ err: one.reason as unknown }, 'a waiting run could not be told of a raised limit');
      else if (one.value) woken += 1;
    }
  }
  return woken;
}
