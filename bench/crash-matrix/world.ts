// Longhaul with servers of its own, each of which can be killed with SIGKILL and started again on the same data.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadConfig } from '../../config/env.js';
import { type Listener, listen } from '../../db/listen.js';
import { EVENTS_CHANNEL } from '../../db/events.js';
import { type Pool, createPool } from '../../db/pool.js';
import { startPostgres } from '../../embedded/postgres.js';
import { ScriptedModelControl } from '../../embedded/scriptedModel/client.js';
import { startScriptedModel } from '../../embedded/scriptedModel/server.js';
import { type Service, startServices } from '../../embedded/services.js';
import { startTemporal } from '../../embedded/temporal.js';
import type { Closing } from '../closing.js';
import { type Sink, startSink } from './sink.js';

export const victims = ['worker', 'api', 'temporal', 'postgres'] as const;
export type Victim = (typeof victims)[number];

export interface World {
  apiUrl: string;
  adminKey: string;
  pool: Pool;
  model: ScriptedModelControl;
  sink: Sink;
  /** At every commit that wrote events of any run; one listener at a time. */
  onCommit(heard: ((agentRunId: string) => void) | undefined): void;
  /** SIGKILL, now. Returns how to start it again; that resolves when it is ready. */
  kill(victim: Victim): () => Promise<void>;
  /** The last lines of what its processes said. */
  log: string[];
}

const LOG_LINES = 200;

export async function startWorld(closing: Closing): Promise<World> {
  const dataDir = mkdtempSync(path.join(process.env['LONGHAUL_TEST_DIR'] ?? tmpdir(), 'crash-matrix-'));
  chmodSync(dataDir, 0o755); // PostgreSQL runs as another user when this is root
  closing.add(async () => rmSync(dataDir, { recursive: true, force: true }));
  const scripted = await startScriptedModel();
  closing.add(() => scripted.close());
  const sink = await startSink();
  closing.add(() => sink.close());

  const log: string[] = [];
  const services = await startServices({
    config: loadConfig({ LONGHAUL_DATA_DIR: dataDir, LONGHAUL_PORT: '0', LONGHAUL_SCRIPTED_MODEL_URL: scripted.url }),
    env: { NODE_OPTIONS: '--no-warnings', LONGHAUL_AGENTS_DIR: path.join(dataDir, 'agents') },
    onLine: (from, line) => void (log.push(`${from}: ${line}`) > LOG_LINES && log.shift()),
  });
  closing.add(() => services.stopServers());
  closing.add(() => services.stop());
  let [worker, api]: Service[] = await Promise.all([services.startWorker(), services.startApi()]);

  const pool = createPool(services.databaseUrl, { max: 4 });
  closing.add(() => pool.end());
  let heard: ((agentRunId: string) => void) | undefined;
  const listener: Listener = await new Promise((resolve) => {
    const started: Listener = listen(services.databaseUrl, {
      channels: [EVENTS_CHANNEL],
      onNotification: (_, agentRunId) => heard?.(agentRunId),
      onConnected: () => setImmediate(() => resolve(started)),
    });
  });
  closing.add(() => listener.close());
  const pids = await serverPids(dataDir);

  return {
    apiUrl: services.apiUrl,
    adminKey: services.adminKey,
    pool,
    model: new ScriptedModelControl(scripted.url),
    sink,
    log,
    onCommit: (next) => void (heard = next),
    kill(victim) {
      switch (victim) {
        case 'worker': {
          const killed = (worker as Service).kill();
          return async () => {
            await killed;
            worker = await services.startWorker();
          };
        }
        case 'api': {
          const killed = (api as Service).kill();
          return async () => {
            await killed;
            api = await services.startApi();
          };
        }
        case 'temporal':
          process.kill(pids.temporal, 'SIGKILL');
          return async () => void (pids.temporal = (await startTemporal({ dataDir })).pid);
        case 'postgres':
          process.kill(pids.postgres, 'SIGKILL');
          return async () => void (pids.postgres = (await startPostgres({ dataDir })).pid);
      }
    },
  };
}

async function serverPids(dataDir: string): Promise<{ postgres: number; temporal: number }> {
  const [postgres, temporal] = await Promise.all([startPostgres({ dataDir }), startTemporal({ dataDir })]);
  return { postgres: postgres.pid, temporal: temporal.pid };
}
