// The product with PostgreSQL and Temporal of its own, so that a test can take them away and bring them back.
import { rmSync } from 'node:fs';
import path from 'node:path';
import { loadConfig } from '../../config/env.js';
import { isReaped, waitFor } from '../../embedded/processes.js';
import { startPostgres } from '../../embedded/postgres.js';
import { ScriptedModelControl } from '../../embedded/scriptedModel/client.js';
import { startScriptedModel } from '../../embedded/scriptedModel/server.js';
import { type Services, startServices } from '../../embedded/services.js';
import { startTemporal } from '../../embedded/temporal.js';
import { emptyDataDir } from '../embedded/support.js';
import { ApiCaller } from './service.js';

export type ServerName = 'PostgreSQL' | 'Temporal';

export interface OwnServers {
  dataDir: string;
  services: Services;
  api: ApiCaller;
  model: ScriptedModelControl;
  /** Kills it with SIGKILL; the returned function starts it again on its data. */
  takeAway(server: ServerName): Promise<() => Promise<void>>;
  stop(): Promise<void>;
}

export async function startOwnServers(name: string, { workers = 1 } = {}): Promise<OwnServers> {
  const dataDir = emptyDataDir(name);
  const scripted = await startScriptedModel();
  const services = await startServices({
    config: loadConfig({ LONGHAUL_DATA_DIR: dataDir, LONGHAUL_PORT: '0', LONGHAUL_SCRIPTED_MODEL_URL: scripted.url }),
    env: { NODE_OPTIONS: '--no-warnings', LONGHAUL_AGENTS_DIR: path.join(dataDir, 'agents') },
    onLine: () => undefined,
  });
  await Promise.all([...Array.from({ length: workers }, () => services.startWorker()), services.startApi()]);
  const start = { PostgreSQL: startPostgres, Temporal: startTemporal };
  return {
    dataDir,
    services,
    api: ApiCaller.of(services),
    model: new ScriptedModelControl(scripted.url),
    async takeAway(server) {
      const { pid } = await start[server]({ dataDir });
      process.kill(pid, 'SIGKILL');
      await waitFor(`${server} to be gone`, () => isReaped(pid));
      return async () => void (await start[server]({ dataDir }));
    },
    async stop() {
      await services.stop();
      await services.stopServers();
      await scripted.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
