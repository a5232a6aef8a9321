// PostgreSQL as a process of its own, on loopback, its cluster in the data folder. It survives whoever started it.
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs';
import path from 'node:path';
import { Client } from 'pg';
import { type Cluster, DATABASE, SUPERUSER, clusterOf, createCluster, makeHome, program } from './postgresCluster.js';
import { isProcess, isReaped, portOr, tailOf, waitFor } from './processes.js';
import { readState, writeState } from './state.js';

export interface PostgresOptions {
  dataDir: string;
  /** False only for throw-away clusters of tests: no waiting for the disk. */
  durable?: boolean;
}

export interface RunningPostgres {
  url: string;
  port: number;
  pid: number;
  /** False when it was up already. */
  started: boolean;
}

interface State {
  port: number;
  password: string;
}

/** To come up, with crash recovery if it was killed, in seconds. */
const START_SECONDS = 120;

/** Starts PostgreSQL, or finds it up already. Makes cluster and database when there are none. */
export async function startPostgres({ dataDir, durable = true }: PostgresOptions): Promise<RunningPostgres> {
  const cluster = clusterOf(path.resolve(dataDir));
  makeHome(cluster);
  const state = readState<State>(cluster.stateFile);
  const password = state.password ?? randomBytes(24).toString('base64url');
  if (!existsSync(path.join(cluster.data, 'PG_VERSION'))) {
    writeState(cluster.stateFile, { ...state, password }); // before the cluster: one whose password is lost is lost
    await createCluster(cluster, password, durable);
  } else if (state.password === undefined) {
    throw new Error(
      `${cluster.stateFile}, with the password of ${cluster.data}, is missing. Put it back from a backup.`,
    );
  }
  forgetStranger(cluster);
  const up = runningIn(cluster);
  if (up && (await answers(up, urlOf(up.port, password)))) {
    writeState(cluster.stateFile, { port: up.port, password });
    return { ...up, url: urlOf(up.port, password), started: false };
  }
  if (up) await waitFor('the old PostgreSQL to be reaped', () => isReaped(up.pid), 60_000);
  const port = await portOr(state.port);
  writeState(cluster.stateFile, { port, password });
  try {
    await program(cluster, 'pg_ctl', [
      '-D',
      cluster.data,
      '-w',
      '-t',
      `${START_SECONDS}`,
      '-l',
      cluster.log,
      '-o',
      `-p ${port}`,
      'start',
    ]);
  } catch (err) {
    throw new Error(`PostgreSQL did not start: ${(err as Error).message}\n${tailOf(cluster.log)}`, { cause: err });
  }
  const { pid } = runningIn(cluster) as { pid: number };
  return { url: urlOf(port, password), port, pid, started: true };
}

/** `fast` ends sessions and writes everything down; `immediate` is a crash on purpose. False: it was not running. */
export async function stopPostgres(dataDir: string, mode: 'fast' | 'immediate' = 'fast'): Promise<boolean> {
  const resolved = path.resolve(dataDir);
  if (!existsSync(path.join(resolved, 'postgres.json'))) return false;
  const cluster = clusterOf(resolved);
  forgetStranger(cluster);
  if (!existsSync(cluster.data) || !(await isUp(cluster))) return false;
  await program(cluster, 'pg_ctl', ['-D', cluster.data, '-w', '-t', '60', '-m', mode, 'stop']);
  return true;
}

const urlOf = (port: number, password: string): string =>
  `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/${DATABASE}`;

const pidFileOf = (cluster: Cluster): string => path.join(cluster.data, 'postmaster.pid');

/**
 * A pid file that outlived its server may name a process of somebody else by now, as after a restart of the machine.
 * PostgreSQL would refuse to start, and pg_ctl would stop that process. A postmaster works in its cluster's folder.
 */
function forgetStranger(cluster: Cluster): void {
  const pid = runningIn(cluster)?.pid;
  if (pid === undefined) return;
  let folder: string;
  try {
    folder = readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return; // it is gone, or this system does not tell: PostgreSQL decides
  }
  if (folder !== realpathSync(cluster.data)) rmSync(pidFileOf(cluster), { force: true });
}

/** From postmaster.pid: line 1 is the pid, line 4 the port. */
function runningIn(cluster: Cluster): { pid: number; port: number } | undefined {
  const file = pidFileOf(cluster);
  if (!existsSync(file)) return undefined;
  const lines = readFileSync(file, 'utf8').split('\n');
  return { pid: Number(lines[0]), port: Number(lines[3]) };
}

/** Waits as long as the process lives: it may be recovering. False once it is gone, whatever its pid file says. */
async function answers({ pid }: { pid: number }, url: string): Promise<boolean> {
  return waitFor(
    'PostgreSQL to answer',
    async () => {
      if (!isProcess(pid, ['postgres'])) return 'gone';
      const client = new Client({ connectionString: url, connectionTimeoutMillis: 2000 });
      client.on('error', () => undefined);
      const up = await client.connect().then(
        () => true,
        () => false,
      );
      await client.end().catch(() => undefined);
      return up && 'up';
    },
    START_SECONDS * 1000,
  ).then((state) => state === 'up');
}

async function isUp(cluster: Cluster): Promise<boolean> {
  return program(cluster, 'pg_ctl', ['-D', cluster.data, 'status']).then(
    () => true,
    () => false,
  );
}
