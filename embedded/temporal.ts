// Temporal's dev server as a process of its own, on loopback, its state in one SQLite file of the data folder.
import { existsSync, mkdirSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { Connection } from '@temporalio/client';
import { searchAttributes } from '../workflows/protocol.js';
import { endProcess, isProcess, portOr, spawnDetached, tailOf, waitFor } from './processes.js';
import { readState, writeState } from './state.js';

export interface TemporalOptions {
  dataDir: string;
  /** The `temporal` program; default: the one that setup found. */
  binary?: string | undefined;
  /** Default: yes. */
  ui?: boolean;
  /** Made when missing. */
  namespaces?: readonly string[];
  /** Added to the server's dynamic configuration. */
  settings?: Readonly<Record<string, string | number>>;
}

export interface RunningTemporal {
  address: string;
  uiUrl: string | undefined;
  pid: number;
  /** False when it was up already. */
  started: boolean;
}

interface State {
  pid: number;
  port: number;
  httpPort: number;
  uiPort: number | null;
}

/** How long a closed run stays in Temporal's UI. The dev server's own default is a day. Our own log stays for ever. */
const RETENTION_SECONDS = 30 * 86_400;

/**
 * The dev server's defaults let one shard poll 20 times a second, which alone makes a step 200 ms long.
 * With synchronous=1 in WAL mode SQLite waits for the disk at checkpoints only: the death of every process loses
 * nothing, the death of the machine may lose the last commits. A Temporal of your own has no such gap.
 */
const TUNING = [
  ...['--dynamic-config-value', 'history.transferProcessorMaxPollRPS=5000'],
  ...['--dynamic-config-value', 'history.transferProcessorMaxPollHostRPS=50000'],
  // A timer shorter than this waits for up to this long; by default a second, which a call handed back would wait.
  ...['--dynamic-config-value', 'history.timerProcessorMaxTimeShift="10ms"'],
  ...['--dynamic-config-value', 'history.timerProcessorMaxPollRPS=1000'],
  ...['--dynamic-config-value', 'system.enableActivityEagerExecution=true'],
  ...['--sqlite-pragma', 'journal_mode=wal', '--sqlite-pragma', 'synchronous=1'],
];

export async function startTemporal({
  dataDir,
  binary,
  ui = true,
  namespaces = ['default'],
  settings = {},
}: TemporalOptions): Promise<RunningTemporal> {
  mkdirSync(dataDir, { recursive: true });
  const files = filesOf(dataDir);
  const state = readState<State>(files.state);
  if (await isUp(state, namespaces, files)) return { ...running(state as State), started: false };
  mkdirSync(files.folder, { recursive: true });
  const next = await spawnServer({ files, state, binary, ui, namespaces, settings });
  await makeReady(next.port, namespaces, files.log, () => isOurs(next.pid, files.database));
  return { ...running(next), started: true };
}

/** A server that was killed a moment ago is still seen for another moment. */
async function isUp(
  { pid, port }: Partial<State>,
  namespaces: readonly string[],
  files: ReturnType<typeof filesOf>,
): Promise<boolean> {
  if (pid === undefined || port === undefined || !isOurs(pid, files.database)) return false;
  try {
    await makeReady(port, namespaces, files.log, () => isOurs(pid, files.database));
    return true;
  } catch (err) {
    if (isOurs(pid, files.database)) throw err;
    return false;
  }
}

async function spawnServer(options: {
  files: ReturnType<typeof filesOf>;
  state: Partial<State>;
  binary: string | undefined;
  ui: boolean;
  namespaces: readonly string[];
  settings: NonNullable<TemporalOptions['settings']>;
}): Promise<State> {
  const { files, state, binary, ui, namespaces, settings } = options;
  const port = await portOr(state.port);
  const httpPort = await portOr(state.httpPort);
  const uiPort = ui ? await portOr(state.uiPort ?? undefined) : null;
  const pid = spawnDetached(
    binary ?? temporalCli(),
    [
      ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', `${port}`, '--http-port', `${httpPort}`],
      ...['--db-filename', files.database, '--log-format', 'json', '--log-level', 'warn'],
      ...(uiPort === null ? ['--headless'] : ['--ui-ip', '127.0.0.1', '--ui-port', `${uiPort}`]),
      '--ui-disable-news-fetch',
      ...namespaces.flatMap((name) => ['--namespace', name]),
      ...TUNING,
      ...Object.entries(settings).flatMap(([name, value]) => ['--dynamic-config-value', `${name}=${value}`]),
    ],
    files.log,
  );
  const next: State = { pid, port, httpPort, uiPort };
  writeState(files.state, next);
  return next;
}

/** Has one run on this data folder, ever? */
export const hasTemporal = (dataDir: string): boolean => existsSync(filesOf(dataDir).database);

/** False: it was not running. */
export async function stopTemporal(dataDir: string): Promise<boolean> {
  const files = filesOf(dataDir);
  const { pid } = readState<State>(files.state);
  if (pid === undefined || !isOurs(pid, files.database)) return false;
  await endProcess(pid, 15_000);
  return true;
}

function filesOf(dataDir: string) {
  // Its real name, by which the server is known again: two on one database file would ruin it.
  const home = existsSync(dataDir) ? realpathSync(dataDir) : path.resolve(dataDir);
  const folder = path.join(home, 'temporal');
  return {
    folder,
    database: path.join(folder, 'temporal.db'),
    log: path.join(folder, 'temporal.log'),
    state: path.join(home, 'temporal.json'),
  };
}

const isOurs = (pid: number, database: string): boolean => isProcess(pid, ['start-dev', database]);

const running = ({ pid, port, uiPort }: State) => ({
  pid,
  address: `127.0.0.1:${port}`,
  uiUrl: uiPort === null ? undefined : `http://127.0.0.1:${uiPort}`,
});

/** Waits until it answers, then sets what an existing database file may lack. */
async function makeReady(
  port: number,
  namespaces: readonly string[],
  log: string,
  alive: () => boolean,
): Promise<void> {
  const connection = await waitFor(
    'Temporal to answer',
    async () => {
      if (!alive()) throw new Error(`Temporal's server ended at once:\n${tailOf(log)}`);
      return Connection.connect({ address: `127.0.0.1:${port}`, connectTimeout: '2 seconds' }).catch(() => undefined);
    },
    60_000,
  );
  try {
    for (const namespace of namespaces) {
      await waitFor(`Temporal's namespace ${namespace}`, async () => setRetention(connection, namespace), 30_000);
      await addSearchAttributes(connection, namespace);
    }
  } finally {
    await connection.close();
  }
}

async function setRetention({ workflowService }: Connection, namespace: string): Promise<boolean> {
  try {
    const { config } = await workflowService.describeNamespace({ namespace });
    if (Number(config?.workflowExecutionRetentionTtl?.seconds) !== RETENTION_SECONDS) {
      await workflowService.updateNamespace({
        namespace,
        config: { workflowExecutionRetentionTtl: { seconds: RETENTION_SECONDS as never } },
      });
    }
    return true;
  } catch {
    return false; // the namespace comes a moment after the port
  }
}

/** Of Temporal's API: IndexedValueType KEYWORD. */
const KEYWORD = 2;

async function addSearchAttributes({ operatorService }: Connection, namespace: string): Promise<void> {
  const wanted = Object.values(searchAttributes);
  const missing = async (): Promise<string[]> => {
    const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
    return wanted.filter((name) => !(name in (customAttributes ?? {})));
  };
  const names = await missing();
  if (names.length === 0) return;
  await operatorService.addSearchAttributes({
    namespace,
    searchAttributes: Object.fromEntries(names.map((name) => [name, KEYWORD])),
  });
  await waitFor('search attributes', async () => (await missing()).length === 0);
}

/** The program that scripts/setup.mjs found or built. */
export function temporalCli(): string {
  const root = path.resolve(__dirname, existsSync(path.join(__dirname, '..', 'package.json')) ? '..' : '../..');
  const found = path.join(root, 'node_modules', '.longhaul', 'setup.json');
  const cli = existsSync(found)
    ? (JSON.parse(readFileSync(found, 'utf8')) as { temporalCli?: string }).temporalCli
    : undefined;
  if (!cli || !existsSync(cli)) throw new Error("Temporal's program is not set up yet. Run `npm run setup`.");
  return cli;
}
