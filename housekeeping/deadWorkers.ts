// Rows of workers that ended long ago. Their calls were handed back by other workers when they died.
import type { Pool } from '../db/pool.js';
import { removeDeadWorkers } from '../db/workers.js';
import { type Sweep, days } from './sweep.js';

/** Long enough to be looked at after a bad night. */
const KEPT_MS = days(1);

export const deadWorkers = (pool: Pool): Sweep => ({
  name: 'dead-workers',
  async run() {
    const removed = await removeDeadWorkers(pool, KEPT_MS);
    return removed.map((id) => ({ tenantId: null, text: `${id} is gone for more than a day; its row was removed` }));
  },
});
