// The embedded PostgreSQL with real processes: start, reuse, stop, SIGKILL, and what an unlucky start left behind.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { startPostgres, stopPostgres } from '../../embedded/postgres.js';
import { clusterOf } from '../../embedded/postgresCluster.js';
import { isAlive, waitFor } from '../../embedded/processes.js';
import { emptyDataDir, query, takePort } from './support.js';

const started: string[] = [];
const aDataDir = (name: string): string => {
  const dataDir = emptyDataDir(name);
  started.push(dataDir);
  return dataDir;
};
afterAll(async () => {
  for (const dataDir of started) await stopPostgres(dataDir, 'immediate');
});

/** Durable: these tests are about what a crash leaves. */
const start = (dataDir: string) => startPostgres({ dataDir });

const launcher = path.join(process.cwd(), 'dist', 'embedded', 'postgres.js');

test('a cluster is made, listens on loopback alone, and waits for the disk', async () => {
  const dataDir = aDataDir('settings');
  const { url, pid, started: now } = await start(dataDir);
  expect(now).toBe(true);
  expect(isAlive(pid)).toBe(true);
  const settings = await query<{ name: string; setting: string }>(
    url,
    `SELECT name, setting FROM pg_settings WHERE name IN
       ('listen_addresses', 'unix_socket_directories', 'fsync', 'synchronous_commit', 'full_page_writes', 'max_connections')`,
  );
  expect(Object.fromEntries(settings.map((s) => [s.name, s.setting]))).toEqual({
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    fsync: 'on',
    synchronous_commit: 'on',
    full_page_writes: 'on',
    max_connections: '200',
  });
});

test('nobody gets in without the password, which only the owner of the data folder can read', async () => {
  const dataDir = aDataDir('password');
  const { url } = await start(dataDir);
  const wrong = url.replace(/:[^:@]+@/, ':wrong@');
  await expect(query(wrong, 'SELECT 1')).rejects.toThrow(/password authentication failed/);
  expect(statSync(path.join(dataDir, 'postgres.json')).mode & 0o077).toBe(0);
});

test('a second start finds the first server', async () => {
  const dataDir = aDataDir('reuse');
  const first = await start(dataDir);
  expect(await start(dataDir)).toEqual({ ...first, started: false });
});

test('after a stop it comes back on the same port with everything', async () => {
  const dataDir = aDataDir('stop');
  const first = await start(dataDir);
  await query(first.url, 'CREATE TABLE kept AS SELECT 7 AS n');
  expect(await stopPostgres(dataDir)).toBe(true);
  expect(isAlive(first.pid)).toBe(false);
  const second = await start(dataDir);
  expect(second).toMatchObject({ url: first.url, started: true });
  expect(await query(second.url, 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
});

test('stopping what does not run, or never did, is no error', async () => {
  const dataDir = aDataDir('not-running');
  expect(await stopPostgres(dataDir)).toBe(false);
  await start(dataDir);
  await stopPostgres(dataDir);
  expect(await stopPostgres(dataDir)).toBe(false);
});

test('killed with SIGKILL in the middle of writing, it comes back with every row it had confirmed', async () => {
  const dataDir = aDataDir('sigkill');
  const { url, pid } = await start(dataDir);
  await query(url, 'CREATE TABLE facts (n int)');
  let confirmed = 0;
  const writing = (async () => {
    for (;;) {
      await query(url, 'INSERT INTO facts VALUES ($1)', [confirmed + 1]);
      confirmed += 1;
    }
  })().catch(() => 'broken');
  await waitFor('some rows', () => confirmed >= 20);
  process.kill(pid, 'SIGKILL');
  expect(await writing).toBe('broken');
  const again = await start(dataDir);
  expect(again).toMatchObject({ url, started: true });
  const [row] = await query<{ count: string }>(url, 'SELECT count(*) FROM facts');
  expect(Number(row?.count)).toBeGreaterThanOrEqual(confirmed);
});

test('it outlives the process that started it, when that is killed with SIGKILL', async () => {
  const dataDir = aDataDir('parent');
  const code = `require(${JSON.stringify(launcher)}).startPostgres({ dataDir: ${JSON.stringify(dataDir)} })
    .then((running) => { console.log(JSON.stringify(running)); setInterval(() => undefined, 1000); })`;
  const parent = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const { pid, url } = JSON.parse(String(line)) as { pid: number; url: string };
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  expect(await start(dataDir)).toMatchObject({ pid, started: false });
});

test('when somebody else has taken its port in the meantime, it takes another', async () => {
  const dataDir = aDataDir('port');
  const first = await start(dataDir);
  await stopPostgres(dataDir);
  const squatter = await takePort(first.port);
  const second = await start(dataDir);
  squatter.close();
  expect(second.port).not.toBe(first.port);
  expect(await query(second.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  expect(await start(dataDir)).toMatchObject({ port: second.port, started: false });
});

test('a pid file whose pid belongs to another process by now does not keep it down', async () => {
  const dataDir = aDataDir('stale-pid');
  const first = await start(dataDir);
  const file = path.join(clusterOf(dataDir).data, 'postmaster.pid');
  const lines = readFileSync(file, 'utf8').split('\n');
  await stopPostgres(dataDir, 'immediate');
  writeFileSync(file, [String(process.pid), ...lines.slice(1)].join('\n'));
  expect(await start(dataDir)).toMatchObject({ port: first.port, started: true });
});

test('a pid file whose pid belongs to the PostgreSQL of another data folder does not keep it down', async () => {
  const other = await start(aDataDir('stale-pid-neighbour'));
  const dataDir = aDataDir('stale-pid-postgres');
  const first = await start(dataDir);
  const file = path.join(clusterOf(dataDir).data, 'postmaster.pid');
  const lines = readFileSync(file, 'utf8').split('\n');
  await stopPostgres(dataDir, 'immediate');
  writeFileSync(file, [String(other.pid), ...lines.slice(1)].join('\n'));
  expect(await start(dataDir)).toMatchObject({ port: first.port, started: true });
  expect(isAlive(other.pid)).toBe(true);
});

test('a first start that is killed half way is repeated from nothing', async () => {
  const dataDir = aDataDir('half-made');
  const code = `require(${JSON.stringify(launcher)}).startPostgres({ dataDir: ${JSON.stringify(dataDir)} })`;
  const parent = spawn(process.execPath, ['-e', code], { stdio: 'ignore' });
  const home = path.dirname(clusterOf(dataDir).data);
  const unfinished = () => (existsSync(home) ? readdirSync(home) : []).filter((name) => name.startsWith('data.new-'));
  // initdb writes PG_VERSION first of all, long before there is anything to start.
  await waitFor('initdb to begin', () => unfinished().some((name) => existsSync(path.join(home, name, 'PG_VERSION'))));
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  const { url } = await start(dataDir);
  expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  expect(readdirSync(home)).toContain('data');
});

test('a cluster whose password is gone is not replaced: the error names the file to put back', async () => {
  const dataDir = aDataDir('no-password');
  await start(dataDir);
  await stopPostgres(dataDir);
  const file = path.join(dataDir, 'postgres.json');
  renameSync(file, `${file}.lost`);
  await expect(start(dataDir)).rejects.toThrow(`${file}, with the password of `);
  renameSync(`${file}.lost`, file);
  expect(await start(dataDir)).toMatchObject({ started: true });
});

test('by another name of the same data folder the same server is found', async () => {
  const dataDir = aDataDir('alias');
  const first = await start(dataDir);
  const alias = `${dataDir}-alias`;
  symlinkSync(dataDir, alias);
  expect(await start(alias)).toEqual({ ...first, started: false });
});

test('a throw-away cluster does not wait for the disk', async () => {
  const dataDir = aDataDir('throw-away');
  const { url } = await startPostgres({ dataDir, durable: false });
  expect(await query(url, 'SHOW fsync')).toEqual([{ fsync: 'off' }]);
});

test('started by root it runs as somebody else, and else as whoever started it', async () => {
  const { pid } = await start(aDataDir('account'));
  const { uid } = statSync(`/proc/${pid}`);
  const own = process.getuid?.();
  expect(uid === own).toBe(own !== 0);
});

test('in a folder that only its owner may enter, it starts and keeps everything all the same', async () => {
  const dataDir = aDataDir('closed');
  chmodSync(path.dirname(dataDir), 0o700);
  const first = await start(dataDir);
  await query(first.url, 'CREATE TABLE kept AS SELECT 7 AS n');
  await stopPostgres(dataDir);
  const second = await start(dataDir);
  expect(await query(second.url, 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
  const home = path.dirname(clusterOf(dataDir).data);
  await stopPostgres(dataDir);
  rmSync(home, { recursive: true }); // root's lies outside of the folder of this test run
});
