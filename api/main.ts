// The API process: reads its configuration, connects lazily, listens, sweeps, and closes gracefully.
import { existsSync } from 'node:fs';
import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { environmentRedactor, loadConfig, requireServers } from '../config/env.js';
import { createPool } from '../db/pool.js';
import { createTenantPool } from '../db/tenantPool.js';
import { apiSweeps } from '../housekeeping/apiSweeps.js';
import { keepHouse } from '../housekeeping/schedule.js';
import { createLogger } from '../telemetry/log.js';
import { ensureAdminKey } from './auth.js';
import { keepAnchor, keepAuditKey } from './auditFiles.js';
import type { ApiDeps } from './deps.js';
import { loadAgents } from './loadAgents.js';
import { linksTo } from './render.js';
import { buildServer } from './server.js';
import { createStreamHub } from './streamHub.js';
import { createRunWorkflows } from './temporal.js';

const LOOPBACK = ['127.0.0.1', '::1', 'localhost'];

async function main(): Promise<void> {
  const config = loadConfig();
  const { databaseUrl, temporalAddress } = requireServers(config);
  const redactor = environmentRedactor();
  const log = createLogger('api', config.logLevel, redactor);
  const poolOptions = {
    name: 'longhaul api',
    onError: (err: Error) => log.warn({ err }, 'a database connection broke'),
  };
  const pool = createTenantPool(databaseUrl, poolOptions);
  const wholePool = createPool(databaseUrl, poolOptions);
  if (config.adminKey !== undefined) await ensureAdminKey(wholePool, config.adminKey);

  const auditKey = keepAuditKey(config.dataDir, config.auditKey);
  // Lazy: the API answers what it can while Temporal is away.
  const connection = Connection.lazy({ ...loadClientConnectConfig().connectionOptions, address: temporalAddress });
  const client = new Client({ connection, namespace: config.temporalNamespace });
  const deps: ApiDeps = {
    pool,
    wholePool,
    workflows: createRunWorkflows(client),
    hub: createStreamHub(databaseUrl, (err) => log.warn({ err }, 'the listening connection broke; it is made again')),
    links: linksTo(config.temporalUiUrl, config.temporalNamespace),
    audit: {
      key: auditKey,
      trusted: [auditKey.publicKey, ...config.auditTrust],
      anchor: keepAnchor(config.dataDir),
    },
    redactor,
    log,
  };
  const app = await buildServer(deps);
  const url = await app.listen({ host: config.host, port: config.port });
  const house = keepHouse({ pool: wholePool, log }, apiSweeps({ ...deps, pool: wholePool, client }));
  if (config.agentsDirGiven && !existsSync(config.agentsDir))
    log.warn(`LONGHAUL_AGENTS_DIR names ${config.agentsDir}, which does not exist: no agent files are loaded`);
  const agents = loadAgents(wholePool, config.agentsDir, log);
  if (!LOOPBACK.includes(config.host))
    log.warn('listening beyond this machine without TLS: put a proxy with TLS before it');
  log.info({ url, pid: process.pid, auditKey: auditKey.publicKey }, 'ready');

  const stop = async (): Promise<void> => {
    agents.stop();
    await house.stop();
    await app.close();
    await deps.hub.close();
    await connection.close();
    await Promise.all([pool.end(), wholePool.end()]);
    log.info('stopped');
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop());
}

main().catch((err: unknown) => {
  createLogger('api', 'error', environmentRedactor()).fatal(
    { err },
    err instanceof Error ? err.message : 'the API cannot start',
  );
  setTimeout(() => process.exit(1), 200);
});
