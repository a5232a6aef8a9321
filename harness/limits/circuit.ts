// The circuit breaker of a model: when many runs fail one after the other, one attempt at a time finds out whether the
// provider is back, and the others wait in line. Data in, data out; the clock is given, the state is shared by all workers.

/** Times are in milliseconds since 1970, of one clock. */
export interface Circuit {
  /** Runs that failed one after the other, each named once. A run whose own request is the trouble stays alone. */
  failedRuns: readonly string[];
  lastFailedAt: number | null;
  reason: string;
  /** null: closed, attempts go out freely. */
  openedAt: number | null;
  closedAt: number | null;
  /** Openings since the last whole reply. */
  trips: number;
  probeAt: number | null;
  probeBy: string | null;
  probeUntil: number | null;
  probes: number;
  wakeAt: number | null;
}

export const closedCircuit: Circuit = {
  failedRuns: [],
  lastFailedAt: null,
  reason: '',
  openedAt: null,
  closedAt: null,
  trips: 0,
  probeAt: null,
  probeBy: null,
  probeUntil: null,
  probes: 0,
  wakeAt: null,
};

/** So many runs that fail one after the other, with no reply in between, are an outage. */
const RUNS_TO_OPEN = 3;
/** Failures further apart do not count together. */
const APART_MS = 60_000;
/** How long it stays open before an attempt is made: doubling from the first to the last. */
const OPEN_FIRST_MS = 1000;
const OPEN_LAST_MS = 30_000;
/** A provider that names a delay is believed up to this. */
const OPEN_NAMED_MS = 300_000;
/** An attempt that is not renewed for so long died with its worker. */
export const PROBE_LEASE_MS = 15_000;
/** Runs in line look again one after the other, this far apart: that many requests a second when a provider is back. */
export const SPACING_MS = 25;
/** While an attempt is under way the others need not look. */
const PROBING_MS = 1000;
/** Longest line. Like the bounds above it also heals a clock that was set back: no time further ahead is believed. */
const LINE_MS = 3_600_000;

export const isOpen = (c: Circuit): boolean => c.openedAt !== null;

/** Is there anything that a reply would put right? */
export const isTroubled = (c: Circuit): boolean => isOpen(c) || c.failedRuns.length > 0 || c.trips > 0;

export type Passage = 'free' | 'probe' | 'wait';

/** `probe`: the one attempt that may be made; take it with `probing`. */
export function passage(c: Circuit, runId: string, now: number): Passage {
  if (!isOpen(c)) return 'free';
  if (isProbed(c, now)) return c.probeBy === runId ? 'probe' : 'wait'; // its own attempt before this one is dead
  return ahead(c.probeAt, now, OPEN_NAMED_MS) ? 'wait' : 'probe';
}

const ahead = (time: number | null, now: number, atMost: number): boolean =>
  time !== null && time > now && time <= now + atMost;

const isProbed = (c: Circuit, now: number): boolean => isOpen(c) && ahead(c.probeUntil, now, PROBE_LEASE_MS);

export const probing = (c: Circuit, runId: string, now: number): Circuit => ({
  ...c,
  probeBy: runId,
  probeUntil: now + PROBE_LEASE_MS,
  probes: c.probes + 1,
});

export interface ProviderFailure {
  runId: string;
  /** When the attempt was made. */
  startedAt: number;
  reason: string;
  /** The provider's own delay: then it opens at once, for every run. */
  retryAfterMs?: number;
  /** It opens at once though no delay was named: no run will fare better. */
  forAll?: boolean;
}

export function afterFailure(c: Circuit, f: ProviderFailure, now: number): Circuit {
  const named = f.retryAfterMs === undefined ? 0 : now + Math.min(OPEN_NAMED_MS, f.retryAfterMs);
  if (isOpen(c)) {
    if (c.probeBy === f.runId) return open({ ...c, reason: f.reason }, now, named);
    return { ...c, probeAt: Math.max(c.probeAt ?? 0, named) }; // it was made before
  }
  if (c.closedAt !== null && f.startedAt < c.closedAt) return c; // likewise: it says nothing about now
  const apart = c.lastFailedAt === null || now - c.lastFailedAt > APART_MS;
  const failedRuns = [...new Set([...(apart ? [] : c.failedRuns), f.runId])];
  const failed = { ...c, failedRuns, lastFailedAt: now, reason: f.reason };
  return named > 0 || f.forAll === true || failedRuns.length >= RUNS_TO_OPEN ? open(failed, now, named) : failed;
}

function open(c: Circuit, now: number, named: number): Circuit {
  const length = Math.min(OPEN_LAST_MS, OPEN_FIRST_MS * 2 ** Math.min(c.trips, 16));
  return {
    ...c,
    failedRuns: [],
    openedAt: c.openedAt ?? now,
    trips: c.trips + 1,
    probeAt: Math.max(now + length, named),
    probeBy: null,
    probeUntil: null,
  };
}

/** The one attempt was answered, if only by the beginning of a reply: the others may go, each in its turn. */
export function afterAnswer(c: Circuit, runId: string, now: number): Circuit {
  if (!isOpen(c) || c.probeBy !== runId) return c;
  return { ...c, openedAt: null, closedAt: now, probeAt: null, probeBy: null, probeUntil: null, failedRuns: [] };
}

/** A whole reply came. */
export const afterReply = (c: Circuit): Circuit => (isOpen(c) ? c : { ...c, failedRuns: [], trips: 0, reason: '' });

/** The one attempt ended without an answer and without a fault of the provider: another may be made at once. */
export const afterProbeGivenUp = (c: Circuit, runId: string): Circuit =>
  c.probeBy === runId ? { ...c, probeBy: null, probeUntil: null } : c;

export const probeRenewed = (c: Circuit, runId: string, now: number): Circuit =>
  c.probeBy === runId ? { ...c, probeUntil: now + PROBE_LEASE_MS } : c;

/** A place in line, not before `earliest`: `wakeAt` of the result is when to look again. */
export function inLine(c: Circuit, now: number, earliest = 0): Circuit & { wakeAt: number } {
  const due = isOpen(c) && ahead(c.probeAt, now, OPEN_NAMED_MS) ? (c.probeAt as number) : now;
  const first = Math.max(due, earliest, isProbed(c, now) ? now + PROBING_MS : 0);
  const last = ahead(c.wakeAt, now, LINE_MS) ? (c.wakeAt as number) : 0;
  return { ...c, wakeAt: Math.max(first, last + SPACING_MS) };
}
