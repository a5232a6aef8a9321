// The event with which housekeeping says in a run's log what it found and did.
import { isClosed } from '../contracts/agentRun.js';
import { systemActor } from '../contracts/events.js';
import { appendEvents } from '../db/events.js';
import { type Pool, withTransaction } from '../db/pool.js';
import { lockRun } from '../db/runs.js';

/** Returns the run's tenant; undefined, and no event, when only an open run is meant and this one has ended. */
export async function recordRepair(
  pool: Pool,
  agentRunId: string,
  data: { found: string; did: string },
  { onlyOpen = false } = {},
): Promise<string | undefined> {
  return withTransaction(pool, async (tx) => {
    const run = await lockRun(tx, agentRunId);
    if (onlyOpen && isClosed(run.status)) return undefined;
    await appendEvents(tx, run, [{ type: 'run.repaired', actor: systemActor('housekeeping'), data }]);
    return run.tenantId;
  });
}
