// Makes checkpoints: signs the heads of a tenant's event chains that no checkpoint has signed yet.
import { insertCheckpoint, latestCheckpoint, lockCheckpoints, unsignedHeads } from '../db/checkpoints.js';
import { type Pool, withTransaction } from '../db/pool.js';
import type { AuditKey } from '../harness/log/auditKey.js';
import { signCheckpoint } from '../harness/log/checkpoint.js';
import type { AuditAnchor } from './auditFiles.js';

export interface Audit {
  key: AuditKey;
  /** Keys whose signatures count, its own among them. */
  trusted: readonly string[];
  anchor: AuditAnchor;
}

/** Heads in one checkpoint. More of them make several. */
const MAX_HEADS = 2000;

/** `all`: also of runs that ended long ago and moved since, as by erasing. Returns how many checkpoints were made. */
export async function signHeads(
  { pool, audit }: { pool: Pool; audit: Audit },
  tenantId: string,
  { all, maxHeads = MAX_HEADS }: { all: boolean; maxHeads?: number },
): Promise<number> {
  for (let made = 0; ; made++) {
    const signed = await withTransaction(pool, async (tx) => {
      await lockCheckpoints(tx, tenantId);
      const heads = await unsignedHeads(tx, tenantId, { all, limit: maxHeads });
      if (heads.length === 0) return undefined;
      const before = await latestCheckpoint(tx, tenantId);
      const checkpoint = signCheckpoint(audit.key, before, { tenantId, heads, at: new Date().toISOString() });
      await insertCheckpoint(tx, checkpoint);
      return checkpoint;
    });
    if (!signed) return made;
    audit.anchor.remember(tenantId, signed);
    // Others append meanwhile: what they add belongs to the next time.
    if (signed.heads.length < maxHeads) return made + 1;
  }
}
