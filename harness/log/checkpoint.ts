// A checkpoint: the heads of a tenant's chains, hashed onto the checkpoint before and signed.
import type { Checkpoint, SignedHead } from '../../contracts/audit.js';
import { GENESIS_HASH } from '../../contracts/events.js';
import { canonicalJson, sha256Hex } from '../canonical.js';
import { type AuditKey, isSignedBy } from './auditKey.js';

type Unsigned = Pick<Checkpoint, 'tenantId' | 'number' | 'at' | 'heads' | 'prevHash'>;

const hashOf = ({ tenantId, number, at, heads, prevHash }: Unsigned): string =>
  sha256Hex(canonicalJson({ tenantId, number, at, heads, prevHash }));

/** What is signed says what it is, so that no signature passes for one of another kind. */
const textOf = (hash: string): string => `longhaul checkpoint ${hash}`;

export function signCheckpoint(
  key: AuditKey,
  before: Pick<Checkpoint, 'number' | 'hash'> | undefined,
  { tenantId, heads, at }: { tenantId: string; heads: readonly SignedHead[]; at: string },
): Checkpoint {
  const unsigned: Unsigned = {
    tenantId,
    number: (before?.number ?? 0) + 1,
    at,
    heads: heads.toSorted((a, b) => (a.runId < b.runId ? -1 : a.runId > b.runId ? 1 : a.seq - b.seq)),
    prevHash: before?.hash ?? GENESIS_HASH,
  };
  const hash = hashOf(unsigned);
  return { ...unsigned, hash, publicKey: key.publicKey, signature: key.sign(textOf(hash)) };
}

/** What is wrong with a checkpoint that should follow `before`, or undefined. */
export function checkpointProblem(
  checkpoint: Checkpoint,
  before: Pick<Checkpoint, 'number' | 'hash'> | undefined,
): string | undefined {
  const expected = (before?.number ?? 0) + 1;
  if (checkpoint.number !== expected) return `expected checkpoint ${expected}: it was dropped or moved`;
  if (hashOf(checkpoint) !== checkpoint.hash) return 'was changed: its hash does not match';
  if (checkpoint.prevHash !== (before?.hash ?? GENESIS_HASH)) return 'does not follow the checkpoint before';
  if (!isSignedBy(checkpoint.publicKey, textOf(checkpoint.hash), checkpoint.signature)) {
    return 'was not signed with the key that it names';
  }
  return undefined;
}
