// PostgreSQL as a process of its own, on loopback, its cluster in the data folder. It survives whoever started it.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { isProcess, isReaped, portOr, tailOf, waitFor } from './processes.js';
import { type Account, clusterHome, postgresAccount, postgresBin } from './postgresBinaries.js';
import { readState, writeState } from './state.js';

const run = promisify(execFile);

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

const SUPERUSER = 'longhaul';
const DATABASE = 'longhaul';
/** To come up, with crash recovery if it was killed, in seconds. */
const START_SECONDS = 120;

interface Cluster {
  data: string;
  log: string;
  stateFile: string;
  bin: string;
  account: Account | undefined;
}

function clusterOf(dataDir: string): Cluster {
  mkdirSync(dataDir, { recursive: true });
  const account = postgresAccount();
  const home = clusterHome(dataDir, account);
  return {
    data: path.join(home, 'data'),
    log: path.join(home, 'postgres.log'),
    stateFile: path.join(dataDir, 'postgres.json'),
    bin: postgresBin(account),
    account,
  };
}

/** Starts PostgreSQL, or finds it up already. Makes cluster and database when there are none. */
export async function startPostgres({ dataDir, durable = true }: PostgresOptions): Promise<RunningPostgres> {
  const cluster = clusterOf(path.resolve(dataDir));
  const state = readState<State>(cluster.stateFile);
  const password = state.password ?? randomBytes(24).toString('base64url');
  if (!existsSync(path.join(cluster.data, 'PG_VERSION'))) await createCluster(cluster, password, durable);
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
  if (!existsSync(cluster.data) || !(await isUp(cluster))) return false;
  await program(cluster, 'pg_ctl', ['-D', cluster.data, '-w', '-t', '60', '-m', mode, 'stop']);
  return true;
}

const urlOf = (port: number, password: string): string =>
  `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/${DATABASE}`;

async function createCluster(cluster: Cluster, password: string, durable: boolean): Promise<void> {
  rmSync(cluster.data, { recursive: true, force: true }); // what an initdb that was killed left behind
  const passwordFile = `${cluster.data}.password`;
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  if (cluster.account) chownSync(passwordFile, cluster.account.uid, cluster.account.gid);
  try {
    await program(cluster, 'initdb', [
      ...['-D', cluster.data, '-U', SUPERUSER, '--encoding=UTF8', '--locale=C', '--auth=scram-sha-256'],
      `--pwfile=${passwordFile}`,
      ...(durable ? [] : ['--no-sync']),
    ]);
  } catch (err) {
    rmSync(cluster.data, { recursive: true, force: true });
    throw new Error(`PostgreSQL's cluster could not be made: ${(err as Error).message}`, { cause: err });
  } finally {
    rmSync(passwordFile, { force: true });
  }
  appendFileSync(path.join(cluster.data, 'postgresql.conf'), settings(durable));
  // A server of one user alone makes the database: nobody can connect before it is there.
  await single(cluster, `CREATE DATABASE ${DATABASE};`);
}

const settings = (durable: boolean): string => `
# Longhaul's embedded server
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
${durable ? '' : 'fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n'}`;

async function single(cluster: Cluster, sql: string): Promise<void> {
  const running = program(cluster, 'postgres', ['--single', '-D', cluster.data, 'postgres']);
  running.child.stdin?.end(`${sql}\n`);
  await running;
}

/** From postmaster.pid: line 1 is the pid, line 4 the port. */
function runningIn(cluster: Cluster): { pid: number; port: number } | undefined {
  const file = path.join(cluster.data, 'postmaster.pid');
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

function program(cluster: Cluster, name: 'initdb' | 'pg_ctl' | 'postgres', args: readonly string[]) {
  return run(path.join(cluster.bin, name), args, {
    cwd: '/',
    ...cluster.account,
    // Nothing of ours is its business; messages in English, whatever the machine speaks.
    env: { PATH: process.env['PATH'], LC_MESSAGES: 'C', TZ: 'UTC' },
  });
}
