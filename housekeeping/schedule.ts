// Runs sweeps until stopped: each at its own pace, one process at a time, what it found written down.
import { setTimeout } from 'node:timers/promises';
import type { Logger } from 'pino';
import { withLock } from '../db/locks.js';
import type { Pool } from '../db/pool.js';
import { type Finding, recordSweep, sweptWithin } from '../db/sweeps.js';
import { catalogue } from './catalogue.js';
import type { Sweep } from './sweep.js';

/** A sweep is written down this often at least, in milliseconds; a frequent one otherwise only when it found something. */
const WRITE_MS = 60_000;
/** Sweeps that run this seldom run once in all processes together. */
const SHARED_MS = 10_000;
/** The first time soon after the start, but not all at once. */
const FIRST_MS = 5000;

export interface HouseDeps {
  pool: Pool;
  log: Logger;
}

export function keepHouse(deps: HouseDeps, sweeps: readonly Sweep[]): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const loops = sweeps.map((sweep) => loop(deps, sweep, stopping.signal));
  return {
    async stop() {
      stopping.abort();
      await Promise.all(loops);
    },
  };
}

async function loop(deps: HouseDeps, sweep: Sweep, stopping: AbortSignal): Promise<void> {
  const writer = { at: -Infinity, error: undefined as string | undefined };
  const { everyMs } = catalogue[sweep.name];
  let wait = Math.min(everyMs, FIRST_MS * (0.5 + Math.random()));
  while (!stopping.aborted) {
    await setTimeout(wait, undefined, { signal: stopping }).catch(() => undefined);
    wait = everyMs;
    if (stopping.aborted) return;
    try {
      await withLock(deps.pool, `sweep ${sweep.name} ${sweep.place ?? ''}`, () => once(deps, sweep, writer));
    } catch (err) {
      deps.log.warn({ err, sweep: sweep.name }, 'housekeeping failed; it tries again');
    }
  }
}

async function once(
  { pool, log }: HouseDeps,
  sweep: Sweep,
  writer: { at: number; error: string | undefined },
): Promise<void> {
  const { name, place = '' } = sweep;
  const { everyMs } = catalogue[name];
  if (everyMs >= SHARED_MS && (await sweptWithin(pool, name, place, everyMs * 0.9))) return;
  const from = performance.now();
  let findings: Finding[] = [];
  let error: string | undefined;
  try {
    findings = await sweep.run();
  } catch (err) {
    error = err instanceof Error ? err.message : String(err);
    log.warn({ err, sweep: name }, 'housekeeping failed; it tries again');
  }
  for (const { text } of findings) log.info({ sweep: name }, `housekeeping: ${text}`);
  const isNews = findings.length > 0 || error !== writer.error;
  if (everyMs < SHARED_MS && !isNews && from - writer.at < WRITE_MS) return;
  await recordSweep(pool, {
    name,
    place,
    tookMs: Math.round(performance.now() - from),
    findings,
    ...(error === undefined ? {} : { error }),
  });
  writer.at = from;
  writer.error = error;
}
