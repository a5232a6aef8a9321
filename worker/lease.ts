// The worker's row: who it is, what it offers, and until when it counts as alive.
import type { Logger } from 'pino';
import type { ToolDefinition } from '../contracts/tools.js';
import { type Pool, withTransaction } from '../db/pool.js';
import {
  WORKER_LEASE_MS,
  type WorkerIdentity,
  markWorkerStopped,
  offerTools,
  registerWorker,
  renewWorkerLease,
} from '../db/workers.js';
import { definitionHash } from '../tools/registry.js';

export interface LeaseOptions {
  worker: WorkerIdentity;
  tools: readonly ToolDefinition[];
  /** The calls that this process is at. */
  workingOn: () => readonly string[];
  log: Logger;
}

export interface Lease {
  release(): Promise<void>;
}

export async function holdLease(pool: Pool, { worker, tools, workingOn, log }: LeaseOptions): Promise<Lease> {
  await withTransaction(pool, async (tx) => {
    await registerWorker(tx, worker);
    await offerTools(
      tx,
      worker.id,
      tools.map((definition) => ({ definition, hash: definitionHash(definition) })),
    );
  });
  const renew = (): void => {
    renewWorkerLease(pool, worker.id, workingOn()).catch((err: unknown) =>
      log.warn({ err }, 'the lease could not be renewed'),
    );
  };
  const timer = setInterval(renew, WORKER_LEASE_MS / 3);
  return {
    async release() {
      clearInterval(timer);
      await markWorkerStopped(pool, worker.id).catch((err: unknown) =>
        log.warn({ err }, 'the lease was not given back'),
      );
    },
  };
}
