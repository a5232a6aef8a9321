// Signs the heads of event chains: soon after runs ended, every minute those of runs that go on, every hour all there are.
import { type Audit, signHeads } from '../api/signHeads.js';
import { tenantsWithUnsignedEnds, tenantsWithUnsignedHeads } from '../db/checkpoints.js';
import type { Pool } from '../db/pool.js';
import { type Sweep, minutes } from './sweep.js';

const OPEN_MS = minutes(1);
const ALL_MS = minutes(60);

export function checkpoints(deps: { pool: Pool; audit: Audit }): Sweep {
  const at = { open: -Infinity, all: -Infinity };
  return {
    name: 'checkpoints',
    async run() {
      const now = performance.now();
      const all = now - at.all >= ALL_MS;
      const open = all || now - at.open >= OPEN_MS;
      const tenants = open
        ? await tenantsWithUnsignedHeads(deps.pool, { all })
        : await tenantsWithUnsignedEnds(deps.pool);
      for (const tenantId of tenants) await signHeads(deps, tenantId, { all });
      if (open) at.open = now;
      if (all) at.all = now;
      return [];
    },
  };
}
