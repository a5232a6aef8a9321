// Longhaul with servers of its own, each of which can be killed with SIGKILL and started again on the same data.
import { chmodSync, createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { loadConfig } from '../../config/env.js';
import { type Pool, createPool } from '../../db/pool.js';
import { startPostgres } from '../../embedded/postgres.js';
import { ScriptedModelControl } from '../../embedded/scriptedModel/client.js';
import { type Services, startServices } from '../../embedded/services.js';
import { startTemporal } from '../../embedded/temporal.js';
import type { Closing } from '../closing.js';
import { installGates } from './gates.js';
import { type Sink, startSink } from './sink.js';

export const victims = ['worker', 'api', 'temporal', 'postgres'] as const;
export type Victim = (typeof victims)[number];

/** By what name PostgreSQL knows the connections of a process. */
export const connectionsOf = (victim: Victim): string => `longhaul ${victim}`;

export interface World {
  apiUrl: string;
  adminKey: string;
  pool: Pool;
  postgres: { version(): Promise<string> };
  temporal: Client;
  model: ScriptedModelControl;
  sink: Sink;
  /** What its processes said. */
  logFile: string;
  /** SIGSTOP: nothing that happens now is heard of. PostgreSQL goes on, it is needed. */
  freeze(victim: Victim): void;
  thaw(): void;
  /** SIGKILL; those that were frozen besides go on. Resolves when the process is gone. */
  kill(victim: Victim): Promise<void>;
  /** Resolves when it is ready. */
  restart(victim: Victim): Promise<void>;
}

export async function startWorld(closing: Closing): Promise<World> {
  const dataDir = mkdtempSync(path.join(process.env['LONGHAUL_TEST_DIR'] ?? tmpdir(), 'crash-matrix-'));
  chmodSync(dataDir, 0o755); // PostgreSQL runs as another user when this is root
  closing.add(async () => rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 }));
  const sink = await startSink();
  closing.add(() => sink.close());
  const logFile = path.join(dataDir, 'processes.log');
  const log = createWriteStream(logFile);
  for (const folder of ['scripts', 'agents']) mkdirSync(path.join(dataDir, folder));
  const services = await startServices({
    config: loadConfig({
      LONGHAUL_DATA_DIR: dataDir,
      LONGHAUL_PORT: '0',
      LONGHAUL_SCRIPTS_DIR: path.join(dataDir, 'scripts'),
    }),
    env: { NODE_OPTIONS: '--no-warnings', LONGHAUL_AGENTS_DIR: path.join(dataDir, 'agents'), ANTHROPIC_API_KEY: '' },
    onLine: (from, line) => void log.write(`${from}: ${line}\n`),
  });
  closing.add(() => services.stopServers());
  closing.add(() => services.stop());
  const processes = await startProcesses(services, dataDir);
  closing.add(async () => processes.end());
  const pool = createPool(services.databaseUrl, { name: 'crash matrix', max: 6 });
  closing.add(() => pool.end());
  const connection = Connection.lazy({ address: services.temporalAddress });
  closing.add(() => connection.close());
  await installGates(pool);
  return {
    apiUrl: services.apiUrl,
    adminKey: services.adminKey,
    pool,
    postgres: {
      version: async () =>
        (await pool.query<{ v: string }>("SELECT current_setting('server_version') v")).rows[0]?.v ?? '',
    },
    temporal: new Client({ connection }),
    model: new ScriptedModelControl(services.scriptedModelUrl as string),
    sink,
    logFile,
    ...processes,
  };
}

type Processes = Pick<World, 'freeze' | 'thaw' | 'kill' | 'restart'> & { end(): Promise<void> };

async function startProcesses(services: Services, dataDir: string): Promise<Processes> {
  let [worker, api] = await Promise.all([services.startWorker(), services.startApi()]);
  let [postgres, temporal] = await Promise.all([startPostgres({ dataDir }), startTemporal({ dataDir })]);
  const frozen = new Set<number>();
  const thaw = (): void => {
    for (const pid of frozen) signal(pid, 'SIGCONT');
    frozen.clear();
  };
  return {
    freeze(victim) {
      for (const pid of [worker.pid, api.pid, ...(victim === 'temporal' ? [temporal.pid] : [])]) {
        signal(pid, 'SIGSTOP');
        frozen.add(pid);
      }
    },
    thaw,
    async kill(victim) {
      const gone = killIt(victim);
      thaw();
      await gone;
    },
    async restart(victim) {
      if (victim === 'worker') worker = await services.startWorker();
      if (victim === 'api') api = await services.startApi();
      if (victim === 'temporal') temporal = await startTemporal({ dataDir });
      if (victim === 'postgres') postgres = await startPostgres({ dataDir });
    },
    async end() {
      thaw();
      await Promise.all([worker.kill(), api.kill()]);
    },
  };

  async function killIt(victim: Victim): Promise<void> {
    switch (victim) {
      case 'worker':
        return worker.kill();
      case 'api':
        return api.kill();
      case 'temporal':
        return signal(temporal.pid, 'SIGKILL');
      case 'postgres': {
        // First the one that would look after the others.
        const others = childrenOf(postgres.pid);
        for (const pid of [postgres.pid, ...others]) signal(pid, 'SIGKILL');
      }
    }
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'ESRCH') throw err; // it is gone already
  }
}

/** None where the system does not tell: then they end by themselves when they notice. */
function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
