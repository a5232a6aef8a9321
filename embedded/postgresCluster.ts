// The embedded PostgreSQL's cluster: where it lies, how it is made, and its programs run for it.
import { execFile } from 'node:child_process';
import {
  appendFileSync,
  chownSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { type Account, clusterHome, makeClusterHome, postgresAccount, postgresBin } from './postgresBinaries.js';

const run = promisify(execFile);

export const SUPERUSER = 'longhaul';
export const DATABASE = 'longhaul';

export interface Cluster {
  data: string;
  log: string;
  stateFile: string;
  bin: string;
  account: Account | undefined;
}

export function clusterOf(folder: string): Cluster {
  mkdirSync(folder, { recursive: true });
  const dataDir = realpathSync(folder); // one cluster, by whatever name the folder is called
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

/** The folder in which it lies. */
export function makeHome({ data, stateFile, account }: Cluster): void {
  makeClusterHome(path.dirname(data), path.dirname(stateFile), account);
}

/** Beside its place, then moved there: one that is killed half way leaves no cluster. */
export async function createCluster(cluster: Cluster, password: string, durable: boolean): Promise<void> {
  // A name of this process's own: the initdb of one that was killed may still be at work.
  const data = `${cluster.data}.new-${process.pid}`;
  for (const left of unfinished(cluster)) rmSync(left, { recursive: true, force: true, maxRetries: 10 });
  const passwordFile = `${cluster.data}.password`;
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  if (cluster.account) chownSync(passwordFile, cluster.account.uid, cluster.account.gid);
  try {
    await program(cluster, 'initdb', [
      ...['-D', data, '-U', SUPERUSER, '--encoding=UTF8', '--locale=C', '--auth=scram-sha-256'],
      `--pwfile=${passwordFile}`,
      ...(durable ? [] : ['--no-sync']),
    ]);
    appendFileSync(path.join(data, 'postgresql.conf'), settings(durable));
    // A server of one user alone makes the database: nobody can connect before it is there.
    const single = program(cluster, 'postgres', ['--single', '-D', data, 'postgres']);
    single.child.stdin?.end(`CREATE DATABASE ${DATABASE};\n`);
    await single;
    renameSync(data, cluster.data);
  } catch (err) {
    throw new Error(`PostgreSQL's cluster could not be made: ${(err as Error).message}`, { cause: err });
  } finally {
    rmSync(passwordFile, { force: true });
    rmSync(data, { recursive: true, force: true });
  }
}

const unfinished = ({ data }: Cluster): string[] =>
  readdirSync(path.dirname(data))
    .filter((name) => name.startsWith(`${path.basename(data)}.new-`))
    .map((name) => path.join(path.dirname(data), name));

const settings = (durable: boolean): string => `
# Longhaul's embedded server
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
${durable ? '' : 'fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n'}`;

export function program(cluster: Cluster, name: 'initdb' | 'pg_ctl' | 'postgres', args: readonly string[]) {
  return run(path.join(cluster.bin, name), args, {
    cwd: '/',
    ...cluster.account,
    // Nothing of ours is its business; messages in English, whatever the machine speaks.
    env: { PATH: process.env['PATH'], LC_MESSAGES: 'C', TZ: 'UTC' },
  });
}
