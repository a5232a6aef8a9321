// What a worker does besides polling: the activities with all that they need, its lease, its watch over other workers,
// housekeeping. main.ts loads this, which takes a while, when the workflows' thread has begun to load on its own.
import { hostname } from 'node:os';
import path from 'node:path';
import { readFileSync } from 'node:fs';
import { Client } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import type { Logger } from 'pino';
import { AgentCache } from '../activities/agentCache.js';
import { ConversationCache } from '../activities/conversation.js';
import type { Deps } from '../activities/deps.js';
import { LocalCalls } from '../activities/executeTool.js';
import { createActivities } from '../activities/index.js';
import { ProvenanceCache } from '../activities/provenanceCache.js';
import { Suspects } from '../activities/suspects.js';
import { CallsUnderWay } from '../activities/underWay.js';
import type { Config } from '../config/env.js';
import { createPool } from '../db/pool.js';
import type { Redactor } from '../harness/redaction/redactor.js';
import { orphanedWorkspaces } from '../housekeeping/orphanedWorkspaces.js';
import { keepHouse } from '../housekeeping/schedule.js';
import { createModels } from '../providers/models.js';
import { findSandboxes, noSandboxes } from '../sandbox/sandboxes.js';
import { createToolRegistry } from '../tools/registry.js';
import { holdLease } from './lease.js';
import { offerProbedTools } from './offerProbed.js';
import { PeerWatch } from './peerWatch.js';
import { isGone, thisProcess } from './processIdentity.js';
import { watchOtherWorkers } from './recovery.js';
import { secretsOf } from './secrets.js';

export interface DutyOptions {
  config: Config;
  databaseUrl: string;
  connection: NativeConnection;
  workerId: string;
  redactor: Redactor;
  log: Logger;
}

export type Duties = Awaited<ReturnType<typeof takeUpDuties>>;

/** The worker is known to others, and alive, from here on. */
export async function takeUpDuties({ config, databaseUrl, connection, workerId, redactor, log }: DutyOptions) {
  const secrets = secretsOf(redactor, log);
  const pool = createPool(databaseUrl, {
    name: 'longhaul worker',
    max: 30,
    onError: (err) => log.warn({ err }, 'a database connection broke'),
  });
  const here = thisProcess();
  const silence = new PeerWatch();
  const tools = await createToolRegistry({
    userModule: config.toolsModule,
    mcpCommands: config.mcpCommands,
    sandboxes: config.sandbox ? findSandboxes() : noSandboxes('switched off by LONGHAUL_SANDBOX'),
  });
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
  const stopping = new AbortController();
  void offerProbedTools(pool, workerId, tools, log, stopping.signal);
  const house = keepHouse(deps, [orphanedWorkspaces({ ...deps, host: hostname() })]);
  return {
    activities: createActivities(deps),
    toolCount: tools.offered().length,
    /** When no activity runs any more. */
    async layDown() {
      stopping.abort();
      await house.stop();
      await recovery.stop();
      await tools.mcp.close();
      await lease.release();
    },
    closePool: () => pool.end(),
  };
}

function codeVersion(): string {
  const file = path.join(__dirname, '..', '..', 'package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
