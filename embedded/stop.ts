// `npm run stop`: ends the service of this data folder, then its Temporal and its PostgreSQL.
import { existsSync } from 'node:fs';
import { loadConfig } from '../config/env.js';
import { endLeftovers } from './leftovers.js';
import { stopPostgres } from './postgres.js';
import { endProcess } from './processes.js';
import { forgetService, serviceOn } from './dataFolder.js';
import { stopTemporal } from './temporal.js';

/** The service drains: model calls in flight may finish. */
const DRAIN_MS = 40_000;

async function main(): Promise<void> {
  const config = loadConfig();
  const stopped: string[] = [];
  const service = serviceOn(config.dataDir);
  if (service !== undefined) {
    await endProcess(service, DRAIN_MS);
    stopped.push('the service');
  }
  forgetService(config.dataDir);
  if (existsSync(config.dataDir))
    stopped.push(...(await endLeftovers(config.dataDir)).map((name) => `the ${name} that a killed start had left`));
  if (await stopTemporal(config.dataDir)) stopped.push('Temporal');
  if (await stopPostgres(config.dataDir)) stopped.push('PostgreSQL');
  console.log(stopped.length === 0 ? `nothing was running on ${config.dataDir}` : `stopped ${stopped.join(', ')}`);
}

main().catch((err: unknown) => {
  console.error(err instanceof Error ? err.message : err);
  process.exit(1);
});
