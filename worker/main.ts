// The worker process: reads its configuration, polls its queues, drains when asked to stop.
import { setImmediate } from 'node:timers/promises';
import { Runtime, type Worker } from '@temporalio/worker';
import type { Logger } from 'pino';
import { environmentRedactor, loadConfig, requireServers } from '../config/env.js';
import { newWorkerId } from '../harness/ids.js';
import { createLogger } from '../telemetry/log.js';
import { connect, createWorkers } from './createWorkers.js';
import type { Duties, DutyOptions } from './duties.js';
import { temporalLogger } from './temporalLogger.js';
import { startWatchdog } from './watchdog.js';

async function main(): Promise<void> {
  const config = loadConfig();
  const { databaseUrl } = requireServers(config);
  const workerId = newWorkerId();
  const redactor = environmentRedactor();
  const log = createLogger('worker', config.logLevel, redactor).child({ workerId });
  Runtime.install({ logger: temporalLogger(log), shutdownSignals: [] });
  const connection = await connect(config);

  let duties: Duties | undefined;
  const activities = (): Duties['activities'] => {
    if (!duties) throw new Error('an activity before the worker runs');
    return duties.activities;
  };
  const [workers] = await Promise.all([
    createWorkers(connection, config, { activities, redactor, workerId }),
    takeUpDuties({ config, databaseUrl, connection, workerId, redactor, log }).then((taken) => (duties = taken)),
  ]);
  const running = Promise.all(workers.map((worker) => worker.run()));
  log.info({ queues: config.queues, tools: duties?.toolCount, pid: process.pid }, 'ready');
  startWatchdog(config.blockedMs);
  stopOnSignals(workers, log);
  await running;
  await duties?.layDown();
  await connection.close();
  await duties?.closePool();
  log.info('stopped');
}

/** Loads the code as well. Only then: the thread of the workflows is told to load its own first. */
async function takeUpDuties(options: DutyOptions): Promise<Duties> {
  await setImmediate();
  const { takeUpDuties: takeUp } = await import('./duties.js');
  return takeUp(options);
}

function stopOnSignals(workers: readonly Worker[], log: Logger): void {
  const stop = (signal: NodeJS.Signals): void => {
    log.info({ signal }, 'draining: calls in flight may finish');
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

main().catch((err: unknown) => {
  createLogger('worker', 'error', environmentRedactor()).fatal(
    { err },
    err instanceof Error ? err.message : 'the worker cannot start',
  );
  process.exitCode = 1;
  setTimeout(() => process.exit(1), 500).unref();
});
