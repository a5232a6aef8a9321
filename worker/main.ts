// The worker process: reads its configuration, builds what activities need, polls its queues, drains when asked to stop.
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { Client } from '@temporalio/client';
import { Runtime, type Worker } from '@temporalio/worker';
import type { Logger } from 'pino';
import { AgentCache } from '../activities/agentCache.js';
import { ConversationCache } from '../activities/conversation.js';
import { ProvenanceCache } from '../activities/provenanceCache.js';
import type { Deps } from '../activities/deps.js';
import { LocalCalls } from '../activities/executeTool.js';
import { Suspects } from '../activities/suspects.js';
import { CallsUnderWay } from '../activities/underWay.js';
import { environmentRedactor, loadConfig, requireServers } from '../config/env.js';
import { createPool } from '../db/pool.js';
import { orphanedWorkspaces } from '../housekeeping/orphanedWorkspaces.js';
import { keepHouse } from '../housekeeping/schedule.js';
import { newWorkerId } from '../harness/ids.js';
import { createModels } from '../providers/models.js';
import { createLogger } from '../telemetry/log.js';
import { createToolRegistry } from '../tools/registry.js';
import { connect, createWorkers } from './createWorkers.js';
import { holdLease } from './lease.js';
import { PeerWatch } from './peerWatch.js';
import { isGone, thisProcess } from './processIdentity.js';
import { watchOtherWorkers } from './recovery.js';
import { secretsOf } from './secrets.js';
import { temporalLogger } from './temporalLogger.js';
import { startWatchdog } from './watchdog.js';

async function main(): Promise<void> {
  const config = loadConfig();
  const { databaseUrl } = requireServers(config);
  const workerId = newWorkerId();
  const redactor = environmentRedactor();
  const log = createLogger('worker', config.logLevel, redactor).child({ workerId });
  const secrets = secretsOf(redactor, log);
  Runtime.install({ logger: temporalLogger(log), shutdownSignals: [] });

  const pool = createPool(databaseUrl, {
    name: 'longhaul worker',
    max: 30,
    onError: (err) => log.warn({ err }, 'a database connection broke'),
  });
  const here = thisProcess();
  const silence = new PeerWatch();
  const tools = await createToolRegistry({ userModule: config.toolsModule, mcpCommands: config.mcpCommands });
  const deps: Deps = {
    pool,
    tools,
    models: createModels(config, log),
    agents: new AgentCache((definition) => secrets.learn(definition)),
    conversations: new ConversationCache(),
    provenance: new ProvenanceCache(),
    localCalls: new LocalCalls(),
    suspects: new Suspects(),
    underWay: new CallsUnderWay(),
    isLost: (other) => isGone(other, here) === true || silence.isSilent(other.id),
    workerId,
    workspacesDir: config.workspacesDir,
    secret: (name) => secrets.read(name),
    redactor,
    log,
  };
  const connection = await connect(config);
  const { queues } = config;
  const lease = await holdLease(pool, {
    worker: {
      id: workerId,
      name: config.workerName,
      host: hostname(),
      ...here,
      queues,
      codeVersion: codeVersion(),
    },
    tools: tools.offered(),
    workingOn: () => deps.underWay.keys(),
    log,
  });

  const recovery = watchOtherWorkers({
    pool,
    client: new Client({ connection, namespace: config.temporalNamespace }),
    workerId,
    silence,
    log,
  });
  const workers = await createWorkers(connection, config, deps, workerId);
  const running = Promise.all(workers.map((worker) => worker.run()));
  log.info({ queues, tools: tools.offered().length, pid: process.pid }, 'ready');
  const house = keepHouse(deps, [orphanedWorkspaces({ ...deps, host: hostname() })]);
  startWatchdog(config.blockedMs);
  stopOnSignals(workers, log);
  await running;
  await house.stop();
  await recovery.stop();
  await tools.mcp.close();
  await lease.release();
  await connection.close();
  await pool.end();
  log.info('stopped');
}

function stopOnSignals(workers: readonly Worker[], log: Logger): void {
  const stop = (signal: NodeJS.Signals): void => {
    log.info({ signal }, 'draining: calls in flight may finish');
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

function codeVersion(): string {
  const file = path.join(__dirname, '..', '..', 'package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

main().catch((err: unknown) => {
  createLogger('worker', 'error', environmentRedactor()).fatal(
    { err },
    err instanceof Error ? err.message : 'the worker cannot start',
  );
  process.exitCode = 1;
  setTimeout(() => process.exit(1), 500).unref();
});
