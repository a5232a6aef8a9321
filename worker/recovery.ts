// Finds dead workers and hands their calls back at once: Temporal alone would wait for their time-outs.
import { setTimeout } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { optionalTsToMs } from '@temporalio/common/lib/time.js';
import type { Logger } from 'pino';
import { workflowIdOf } from '../contracts/ids.js';
import { systemActor } from '../contracts/events.js';
import { appendEvents } from '../db/events.js';
import { withLock } from '../db/locks.js';
import { type Pool, withTransaction } from '../db/pool.js';
import { lockRun } from '../db/runs.js';
import { type PeerWorker, listPeerWorkers, markWorkerLost, runsOfLostWorker } from '../db/workers.js';
import type { PeerWatch } from './peerWatch.js';
import { isGone, thisProcess } from './processIdentity.js';

/** How often the processes of this machine are looked at, in milliseconds: a few system calls. */
const LOOK_MS = 100;
/** How often the list of workers is read, in milliseconds. */
const READ_MS = 1000;
/** Runs looked after at the same time. */
const AT_ONCE = 8;

export interface RecoveryOptions {
  pool: Pool;
  client: Client;
  workerId: string;
  silence: PeerWatch;
  log: Logger;
}

export function watchOtherWorkers(options: RecoveryOptions): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const watching = watch(options, stopping.signal);
  return {
    async stop() {
      stopping.abort();
      await watching;
    },
  };
}

async function watch(options: RecoveryOptions, stopping: AbortSignal): Promise<void> {
  const { pool, workerId, silence, log } = options;
  const here = thisProcess();
  let peers: PeerWorker[] = [];
  let readAt = -Infinity;
  while (!stopping.aborted) {
    try {
      if (performance.now() - readAt >= READ_MS) {
        peers = await listPeerWorkers(pool, workerId);
        silence.look(peers);
        readAt = performance.now();
        // Silent, and perhaps only standing still: Temporal may hand it more calls as long as its polls are open.
        for (const peer of peers.filter((p) => silence.isSilent(p.id) && isGone(p, here) !== true)) {
          await recoverWorker(options, peer, silence.isSilentForGood(peer.id));
        }
      }
      for (const peer of peers.filter((p) => isGone(p, here) === true)) {
        await recoverWorker(options, peer, true);
        peers = peers.filter((p) => p !== peer);
      }
    } catch (err) {
      log.warn({ err }, 'other workers could not be looked after; next try in a second');
      readAt = performance.now();
    }
    await setTimeout(LOOK_MS, undefined, { signal: stopping }).catch(() => undefined);
  }
}

/** One worker at a time does this for another; whatever is left undone when it dies itself, time-outs do. */
async function recoverWorker(options: RecoveryOptions, peer: PeerWorker, lost: boolean): Promise<void> {
  const { pool, log } = options;
  await withLock(pool, `worker ${peer.id}`, async () => {
    const runs = await runsOfLostWorker(pool, peer.id);
    let calls = 0;
    const queue = [...runs];
    const lanes = Array.from({ length: AT_ONCE }, async () => {
      for (let id = queue.shift(); id !== undefined; id = queue.shift()) calls += await recoverRun(options, peer, id);
    });
    await Promise.all(lanes);
    if (lost) await markWorkerLost(pool, peer.id);
    if (lost || calls > 0) {
      log.info(
        { worker: peer.id, pid: peer.pid, lost, calls },
        'a worker is gone or silent; its calls were handed back',
      );
    }
  });
}

/** Returns how many calls were handed back. */
async function recoverRun(options: RecoveryOptions, peer: PeerWorker, agentRunId: string): Promise<number> {
  const { client, log } = options;
  const execution = { workflowId: workflowIdOf(agentRunId) };
  const { namespace } = client.options;
  try {
    const found = await lostCalls(options, peer, agentRunId);
    await client.workflowService.resetStickyTaskQueue({ namespace, execution });
    if (found.length === 0) return 0;
    await recordLoss(options, peer, agentRunId, found.length);
    // Looked at again: the log may have been waited for, and Temporal may have given them up in the meantime.
    const lost = await lostCalls(options, peer, agentRunId);
    await Promise.all(
      lost.map((activityId) => handBack(options, peer, { workflowId: execution.workflowId, activityId })),
    );
    return lost.length;
  } catch (err) {
    log.debug({ err, agentRunId }, 'not recovered; its time-outs will do it'); // ended, or Temporal is away
    return 0;
  }
}

/** Of Temporal's API: PendingActivityState STARTED. */
const STARTED = 2;
/** Activities that beat, and how soon Temporal gives one up that does not: workflows/activityProxies.ts. */
const BEATING: ReadonlySet<string> = new Set(['callModel', 'executeTool']);
/**
 * A call that is silent for longer is left to its heartbeat's time-out, which is near. A call is handed back by its id
 * alone, so after that it would be another worker's new attempt that is ended.
 */
const TOO_LATE_MS = 5500;

/** Ids of the dead worker's calls in flight. */
async function lostCalls({ client }: RecoveryOptions, peer: PeerWorker, agentRunId: string): Promise<string[]> {
  const { pendingActivities } = await client.workflowService.describeWorkflowExecution({
    namespace: client.options.namespace,
    execution: { workflowId: workflowIdOf(agentRunId) },
  });
  return (pendingActivities ?? []).flatMap((a) => {
    if (!a.lastWorkerIdentity?.endsWith(peer.id) || Number(a.state) !== STARTED) return [];
    const silentMs = Date.now() - Math.max(msOf(a.lastStartedTime), msOf(a.lastHeartbeatTime));
    return BEATING.has(a.activityType?.name ?? '') && silentMs > TOO_LATE_MS ? [] : [a.activityId ?? ''];
  });
}

const msOf = (time: Parameters<typeof optionalTsToMs>[0]): number => optionalTsToMs(time) ?? 0;

async function handBack(
  { client, workerId }: RecoveryOptions,
  peer: PeerWorker,
  call: { workflowId: string; activityId: string },
): Promise<void> {
  await client.workflowService.respondActivityTaskFailedById({
    namespace: client.options.namespace,
    ...call,
    identity: workerId,
    failure: {
      message: `the worker ${peer.id} is gone`,
      applicationFailureInfo: { type: 'WorkerLost', nextRetryDelay: { nanos: 1_000_000 } },
    },
  });
}

async function recordLoss(
  { pool, workerId }: RecoveryOptions,
  peer: PeerWorker,
  agentRunId: string,
  calls: number,
): Promise<void> {
  await withTransaction(pool, async (tx) => {
    const run = await lockRun(tx, agentRunId);
    await appendEvents(tx, run, [
      { type: 'worker.lost', actor: systemActor(workerId), data: { workerId: peer.id, calls } },
    ]);
  });
}
