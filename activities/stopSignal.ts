// When an attempt has to stop: its run was cancelled or has ended, or this worker goes away.
import { setTimeout } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { isClosed } from '../contracts/agentRun.js';
import { findRun } from '../db/runs.js';
import type { Deps } from './deps.js';
import type { Stoppable } from './underWay.js';

/** How often a run is looked at whose attempt Temporal has lost sight of, in milliseconds. */
const LOOK_MS = 1000;

export interface StopSignal extends Stoppable {
  /** The attempt is over. */
  release(): void;
}

/**
 * Not when Temporal has lost sight of the attempt (it was away, or this process stood still) and makes another one:
 * what is under way goes on, and what it brings is stored and used. Temporal says no more then: the run's row does.
 */
export const stopSignal = (deps: Pick<Deps, 'pool'>, agentRunId: string): StopSignal =>
  stopWhenTold((over) => untilRunEnds(deps, agentRunId, over));

/** The same for what is done after its run has ended. */
export const stopSignalAfterRun = (): StopSignal => stopWhenTold(async () => undefined);

/** `lostSight`: true when the run ends, false when the attempt is over first, undefined when it matters to neither. */
function stopWhenTold(lostSight: (over: AbortSignal) => Promise<boolean | undefined>): StopSignal {
  const activity = Context.current();
  const stop = new AbortController();
  const over = new AbortController();
  let runEnds = false;
  const onAbort = async (): Promise<void> => {
    const why = activity.cancellationDetails;
    if (why !== undefined && !why.cancelRequested && !why.workerShutdown) {
      const ends = await lostSight(over.signal);
      if (ends === undefined) return;
      runEnds = ends;
    }
    stop.abort();
  };
  if (activity.cancellationSignal.aborted) void onAbort();
  activity.cancellationSignal.addEventListener('abort', () => void onAbort(), { once: true });
  return {
    signal: stop.signal,
    cancelRequested: () => runEnds || activity.cancellationDetails?.cancelRequested === true,
    release: () => over.abort(),
  };
}

/** False when the attempt is over first. */
async function untilRunEnds({ pool }: Pick<Deps, 'pool'>, agentRunId: string, over: AbortSignal): Promise<boolean> {
  while (!over.aborted) {
    const run = await findRun(pool, agentRunId).catch(() => undefined); // a database that is away says nothing
    if (run && (run.cancelRequested !== null || isClosed(run.status))) return true;
    await setTimeout(LOOK_MS, undefined, { signal: over }).catch(() => undefined);
  }
  return false;
}
