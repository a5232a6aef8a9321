// Everything that `npm start` and the demo run: embedded servers as needed, migrations, worker, API, scripted model.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Config } from '../config/env.js';
import { migrate } from '../migrations/migrate.js';
import { startPostgres, stopPostgres } from './postgres.js';
import { endLeftovers, forget, remember } from './leftovers.js';
import { freePort, isPortFree } from './processes.js';
import { startTemporal, stopTemporal } from './temporal.js';

export interface ServiceOptions {
  config: Config;
  /** Added to the environment of worker and API. */
  env?: Record<string, string>;
  /** Take another port when the configured one is in use. Default: an error says so. */
  anyPort?: boolean;
  /** What happens, in words. */
  say?: (text: string) => void;
  /** Lines that a child writes. Default: to standard error. */
  onLine?: (from: string, line: string) => void;
}

export interface Service {
  readonly name: string;
  readonly pid: number;
  /** SIGTERM and wait; SIGKILL when it takes too long. */
  stop(graceMs?: number): Promise<void>;
  kill(): Promise<void>;
  /** Resolves when the process has ended. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

export interface Services {
  apiUrl: string;
  adminKey: string;
  /** The key was made by this start. */
  newAdminKey: boolean;
  adminKeyFile: string;
  uiUrl: string | undefined;
  databaseUrl: string;
  temporalAddress: string;
  scriptedModelUrl: string | undefined;
  /** The one that runs, and how another takes its place. Absent: somebody else's, or none. */
  scriptedModel?: { first: Service; start(): Promise<Service> };
  startWorker(env?: Record<string, string>): Promise<Service>;
  /** `env` replaces what the process would be given. */
  startApi(env?: Record<string, string>): Promise<Service>;
  /** Worker, API and model end; the embedded servers go on. */
  stop(): Promise<void>;
  /** The embedded servers end as well. */
  stopServers(): Promise<void>;
}

/** To be ready, in milliseconds. A worker loads the workflow bundle; a machine may be busy. */
const READY_MS = 60_000;

export async function startServices(options: ServiceOptions): Promise<Services> {
  const { config, say = () => undefined } = options;
  mkdirSync(config.dataDir, { recursive: true });
  const left = await endLeftovers(config.dataDir);
  if (left.length > 0) say(`ended what a start that was killed had left: ${left.join(', ')}`);
  const servers = await startServers(config, say);
  const { applied } = await migrate(servers.databaseUrl);
  if (applied.length > 0) say(`database migrated: ${applied.join(', ')}`);
  const adminKey = keepAdminKey(config);
  const port = await apiPort(config, options.anyPort === true);
  const running = new Set<Service>();

  const child = async (name: string, script: string, given: Record<string, string>, replaced = {}) => {
    const service = await startNode(
      name,
      script,
      { ...given, ...options.env, ...replaced },
      [],
      options.onLine,
      (pid) => remember(config.dataDir, { pid, name, script }),
    );
    running.add(service);
    void service.ended.then(() => {
      running.delete(service);
      forget(config.dataDir, service.pid);
    });
    return service;
  };

  let scriptedModelUrl = config.scriptedModelUrl;
  let scriptedModel: Services['scriptedModel'];
  if (scriptedModelUrl === undefined && config.anthropicApiKey === undefined) {
    const start = () =>
      child('scripted model', 'embedded/scriptedModel/main.js', {
        LONGHAUL_SCRIPTS_DIR: config.scriptsDir ?? path.join(packageRoot(), 'examples'),
        // One that is started again is found where the first was.
        LONGHAUL_SCRIPTED_MODEL_PORT: String(modelPort),
      });
    const modelPort = config.scriptedModelPort === 0 ? await freePort() : config.scriptedModelPort;
    const first = await start();
    scriptedModel = { first, start };
    scriptedModelUrl = first.ready['url'] as string;
  }
  const env: Record<string, string> = {
    DATABASE_URL: servers.databaseUrl,
    TEMPORAL_ADDRESS: servers.temporalAddress,
    LONGHAUL_DATA_DIR: config.dataDir,
    LONGHAUL_PORT: String(port),
    LONGHAUL_ADMIN_KEY: adminKey.key,
    ...(servers.uiUrl === undefined ? {} : { LONGHAUL_TEMPORAL_UI_URL: servers.uiUrl }),
    ...(scriptedModelUrl === undefined ? {} : { LONGHAUL_SCRIPTED_MODEL_URL: scriptedModelUrl }),
  };
  return {
    apiUrl: `http://${config.host}:${port}`,
    adminKey: adminKey.key,
    newAdminKey: adminKey.isNew,
    adminKeyFile: adminKey.file,
    uiUrl: servers.uiUrl,
    databaseUrl: servers.databaseUrl,
    temporalAddress: servers.temporalAddress,
    scriptedModelUrl,
    ...(scriptedModel === undefined ? {} : { scriptedModel }),
    startWorker: (more) => child('worker', 'worker/main.js', { ...env, ...more }),
    startApi: (replaced) => child('api', 'api/main.js', env, replaced),
    stop: async () => void (await Promise.all([...running].map((service) => service.stop()))),
    async stopServers() {
      await stopTemporal(config.dataDir);
      await stopPostgres(config.dataDir);
    },
  };
}

async function startServers(config: Config, say: (text: string) => void) {
  const [postgres, temporal] = await Promise.all([
    config.databaseUrl === undefined ? startPostgres({ dataDir: config.dataDir }) : undefined,
    config.temporalAddress === undefined
      ? startTemporal({ dataDir: config.dataDir, binary: config.temporalCli })
      : undefined,
  ]);
  if (postgres) say(`PostgreSQL ${postgres.started ? 'started' : 'is up already'} on 127.0.0.1:${postgres.port}`);
  if (temporal) say(`Temporal ${temporal.started ? 'started' : 'is up already'} on ${temporal.address}`);
  return {
    databaseUrl: config.databaseUrl ?? (postgres as { url: string }).url,
    temporalAddress: config.temporalAddress ?? (temporal as { address: string }).address,
    uiUrl: config.temporalUiUrl ?? temporal?.uiUrl,
  };
}

/** The key of the environment, else the one of the data folder, else a new one that is kept there. */
function keepAdminKey(config: Config): { key: string; isNew: boolean; file: string } {
  const file = path.join(config.dataDir, 'admin-key');
  const kept = existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined;
  const key = config.adminKey ?? kept ?? `lh_admin_${randomBytes(24).toString('base64url')}`;
  if (key !== kept) {
    writeFileSync(file, `${key}\n`, { mode: 0o600 });
    chmodSync(file, 0o600);
  }
  return { key, isNew: kept === undefined && config.adminKey === undefined, file };
}

async function apiPort(config: Config, anyPort: boolean): Promise<number> {
  if (config.port !== 0 && (await isPortFree(config.port))) return config.port;
  if (config.port === 0 || anyPort) return freePort();
  throw new Error(`Port ${config.port} is in use. Set LONGHAUL_PORT to another, or stop what listens there.`);
}

interface ReadyService extends Service {
  /** The JSON line with which it said that it is ready. */
  ready: Record<string, unknown>;
}

const toStandardError = (_from: string, line: string): void => void process.stderr.write(`${line}\n`);

async function startNode(
  name: string,
  script: string,
  env: Record<string, string>,
  args: readonly string[],
  onLine = toStandardError,
  onSpawn: (pid: number) => void = () => undefined,
): Promise<ReadyService> {
  const dist = path.join(packageRoot(), 'dist');
  const child = spawn(process.execPath, [path.join(dist, script), ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (child.pid !== undefined) onSpawn(child.pid);
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  const lines: string[] = [];
  const ready = new Promise<Record<string, unknown>>((resolve) => {
    const take = (line: string): void => {
      if (lines.length < 50) lines.push(line);
      const said = parseLine(line);
      if (said?.['msg'] === 'ready' || said?.['ready'] === true) resolve(said);
      onLine(name, line);
    };
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', take);
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', take);
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the ${name} was not ready within ${READY_MS / 1000} s`)), READY_MS);
  });
  const died = ended.then(({ code, signal }) => {
    throw new Error(`the ${name} ended at once (${signal ?? `code ${code}`}):\n${lines.slice(-10).join('\n')}`);
  });
  died.catch(() => undefined);
  const said = await Promise.race([ready, died, late])
    .catch((err: unknown) => {
      child.kill('SIGKILL');
      throw err;
    })
    .finally(() => clearTimeout(timer));
  return { name, pid: child.pid as number, ready: said, ended, ...endings(child, ended) };
}

function endings(child: ChildProcess, ended: Promise<unknown>): Pick<Service, 'stop' | 'kill'> {
  const isRunning = (): boolean => child.exitCode === null && child.signalCode === null;
  return {
    async stop(graceMs = 25_000) {
      if (!isRunning()) return;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await ended;
      clearTimeout(timer);
    },
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

function parseLine(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** The folder with package.json, from sources and from dist/ alike. */
export const packageRoot = (): string =>
  existsSync(path.join(__dirname, '..', 'package.json'))
    ? path.join(__dirname, '..')
    : path.join(__dirname, '..', '..');
