// The event with which housekeeping says in a run's log what it found and did.
import { systemActor } from '../contracts/events.js';
import { appendEvents } from '../db/events.js';
import { type Pool, withTransaction } from '../db/pool.js';
import { lockRun } from '../db/runs.js';

/** Returns the run's tenant. */
export async function recordRepair(
  pool: Pool,
  agentRunId: string,
  data: { found: string; did: string },
): Promise<string> {
  return withTransaction(pool, async (tx) => {
    const run = await lockRun(tx, agentRunId);
    await appendEvents(tx, run, [{ type: 'run.repaired', actor: systemActor('housekeeping'), data }]);
    return run.tenantId;
  });
}
