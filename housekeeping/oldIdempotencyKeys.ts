// Idempotency keys of runs that were started long ago: nobody repeats those requests any more.
import type { Pool } from '../db/pool.js';
import { forgetIdempotencyKeys } from '../db/runs.js';
import { KEY_RETENTION_DAYS } from './catalogue.js';
import { type Sweep, days } from './sweep.js';

const BATCH = 1000;

export const oldIdempotencyKeys = (pool: Pool): Sweep => ({
  name: 'idempotency-keys',
  async run() {
    let forgotten = 0;
    for (let batch = BATCH; batch === BATCH; forgotten += batch) {
      batch = await forgetIdempotencyKeys(pool, days(KEY_RETENTION_DAYS), BATCH);
    }
    return forgotten === 0 ? [] : [{ tenantId: null, text: `${forgotten} key(s) forgotten` }];
  },
});
