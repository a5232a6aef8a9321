// How long other workers have been silent. Counted here, by a clock that nobody sets: a step of this machine's clock or
// of the database's makes no worker look dead, and neither does a time in which the database could not be read.
import { WORKER_LEASE_MS } from '../db/workers.js';

/** Longest pause between two looks that counts as watching, in milliseconds: longer, and this process stood still. */
const MAX_GAP_MS = 5000;
/** Temporal ends a poll after a minute. */
const POLLS_ENDED_MS = 120_000;

interface Seen {
  renewed: string;
  sinceMs: number;
  silentMs: number;
}

export class PeerWatch {
  private seen = new Map<string, Seen>();
  private lookedMs = -Infinity;

  /** `renewed` is another text after each renewal. Workers that are not among `peers` are forgotten. */
  look(peers: readonly { id: string; renewed: string }[], nowMs = performance.now()): void {
    const before = nowMs - this.lookedMs > MAX_GAP_MS ? new Map<string, Seen>() : this.seen;
    this.lookedMs = nowMs;
    this.seen = new Map(
      peers.map(({ id, renewed }) => {
        const last = before.get(id);
        const sinceMs = last?.renewed === renewed ? last.sinceMs : nowMs;
        return [id, { renewed, sinceMs, silentMs: nowMs - sinceMs }];
      }),
    );
  }

  /** It had every chance to renew while we looked on. */
  isSilent = (id: string): boolean => this.silentMs(id) > WORKER_LEASE_MS;

  /** Long enough for its open polls at Temporal to have ended: nothing more is handed to it. */
  isSilentForGood = (id: string): boolean => this.silentMs(id) > POLLS_ENDED_MS;

  /** As of the last look: what has happened since is not known. */
  private silentMs = (id: string): number => this.seen.get(id)?.silentMs ?? 0;
}
