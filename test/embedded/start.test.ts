// `npm start` and `npm run stop` as processes: one per data folder, crashed parts come back, a killed one leaves no mess.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { freePort, isAlive, waitFor } from '../../embedded/processes.js';
import { emptyDataDir } from './support.js';

interface Running {
  child: ChildProcess;
  said: () => string;
}

let dataDir: string;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  dataDir = emptyDataDir('start');
  env = {
    ...process.env,
    LONGHAUL_DATA_DIR: dataDir,
    LONGHAUL_PORT: String(await freePort()),
    LONGHAUL_AGENTS_DIR: path.join(dataDir, 'agents'),
    NODE_OPTIONS: '--no-warnings',
    ANTHROPIC_API_KEY: '',
    DATABASE_URL: '',
    TEMPORAL_ADDRESS: '',
  };
});
afterAll(async () => void (await ended(run('stop.js'))));

function run(script: string, more: Record<string, string> = {}): Running {
  const file = path.join(process.cwd(), 'dist', 'embedded', script);
  const child = spawn(process.execPath, [file], { env: { ...env, ...more }, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += String(chunk)));
  return { child, said: () => said };
}

async function ended({ child, said }: Running): Promise<{ code: number | null; said: string }> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
  return { code: child.exitCode, said: said() };
}

async function aReadyService(): Promise<Running> {
  const service = run('start.js');
  await waitFor(
    'npm start to be ready',
    () => service.said().includes('Longhaul is ready') || service.child.exitCode !== null,
    60_000,
  );
  expect(service.said()).toContain('Longhaul is ready');
  return service;
}

const health = async (): Promise<number | undefined> =>
  fetch(`http://127.0.0.1:${env['LONGHAUL_PORT']}/readyz`).then(
    ({ status }) => status,
    () => undefined,
  );

/** The pids of worker, API and scripted model, as the data folder remembers them. */
const partsOf = (): { pid: number; name: string }[] =>
  readdirSync(path.join(dataDir, 'processes')).map(
    (file) => JSON.parse(readFileSync(path.join(dataDir, 'processes', file), 'utf8')) as { pid: number; name: string },
  );

const partCalled = (name: string): number | undefined => partsOf().find((part) => part.name === name)?.pid;

test('the first start makes an admin key, shows it once, and keeps it for its owner alone', async () => {
  const first = await aReadyService();
  const key = /lh_admin_\S+/.exec(first.said())?.[0];
  const file = path.join(dataDir, 'admin-key');
  expect(readFileSync(file, 'utf8').trim()).toBe(key);
  expect(statSync(file).mode & 0o077).toBe(0);
  first.child.kill('SIGTERM');
  expect(await ended(first)).toMatchObject({ code: 0 });
  const second = await aReadyService();
  expect(second.said()).not.toContain(key);
  expect(second.said()).toContain(file);
  second.child.kill('SIGTERM');
  await ended(second);
});

test('a second start on the same data folder says which process runs on it', async () => {
  const service = await aReadyService();
  const second = await ended(run('start.js'));
  expect(second).toMatchObject({ code: 1 });
  expect(second.said).toContain(`runs on ${dataDir} already (process ${service.child.pid})`);
  expect(await health()).toBe(200);
  service.child.kill('SIGTERM');
  await ended(service);
});

test('of two first starts at once on one data folder one serves, and the other says so', async () => {
  const fresh = emptyDataDir('two');
  const more = { LONGHAUL_DATA_DIR: fresh, LONGHAUL_AGENTS_DIR: path.join(fresh, 'agents') };
  const both = [run('start.js', more), run('start.js', more)];
  try {
    const isOut = (service: Running): boolean => service.child.exitCode !== null;
    await waitFor('one to end', () => both.some(isOut), 60_000);
    const refused = both.find(isOut) as Running;
    const serving = both.find((service) => service !== refused) as Running;
    expect((await ended(refused)).said).toContain(`runs on ${fresh} already (process ${serving.child.pid})`);
    await waitFor('the other to be ready', () => serving.said().includes('Longhaul is ready'), 60_000);
    expect(await health()).toBe(200);
  } finally {
    await ended(run('stop.js', more));
    await Promise.all(both.map(ended));
  }
});

test('a scripted model that is killed is started again at the same address', async () => {
  const service = await aReadyService();
  const killed = partCalled('scripted model') as number;
  process.kill(killed, 'SIGKILL');
  await waitFor('another scripted model', () => ![killed, undefined].includes(partCalled('scripted model')));
  expect(service.said()).toContain('the scripted model ended (SIGKILL)');
  const key = readFileSync(path.join(dataDir, 'admin-key'), 'utf8').trim();
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const call = async (method: string, at: string, body?: object): Promise<{ id: string; status: string }> => {
    const url = `http://127.0.0.1:${env['LONGHAUL_PORT']}/v1${at}`;
    const answer = await fetch(url, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
    return (await answer.json()) as { id: string; status: string };
  };
  await call('PUT', '/agents/hello', { name: 'hello', model: 'scripted/hello', instructions: 'Be kind.' });
  const { id } = await call('POST', '/runs', { agent: 'hello', input: 'Good morning.' });
  await waitFor('the run to complete', async () => (await call('GET', `/runs/${id}`)).status === 'completed');
  service.child.kill('SIGTERM');
  await ended(service);
});

test('a folder of agents or scripts that was named and is not there is said', async () => {
  const nowhere = path.join(dataDir, 'nowhere');
  const scripts = await ended(run('start.js', { LONGHAUL_SCRIPTS_DIR: nowhere }));
  expect(scripts.code).toBe(1);
  expect(scripts.said).toContain(`LONGHAUL_SCRIPTS_DIR names ${nowhere}, which does not exist`);
  const service = await aReadyService();
  expect(service.said()).toContain(`LONGHAUL_AGENTS_DIR names ${env['LONGHAUL_AGENTS_DIR']}, which does not exist`);
  service.child.kill('SIGTERM');
  await ended(service);
});

test('a worker that is killed is started again', async () => {
  const service = await aReadyService();
  const killed = partCalled('worker') as number;
  process.kill(killed, 'SIGKILL');
  await waitFor('another worker', () => ![killed, undefined].includes(partCalled('worker')));
  expect(service.said()).toContain('the worker ended (SIGKILL)');
  service.child.kill('SIGTERM');
  await ended(service);
});

test('when the start itself is killed, the next one ends what it left and serves', async () => {
  const killed = await aReadyService();
  const parts = partsOf().map((part) => part.pid);
  expect(parts).toHaveLength(3);
  killed.child.kill('SIGKILL');
  await ended(killed);
  const next = await aReadyService();
  expect(parts.filter(isAlive)).toEqual([]);
  expect(await health()).toBe(200);
  next.child.kill('SIGTERM');
  await ended(next);
});

test('a part that cannot start ends the others, and its reason is what the start says last', async () => {
  const failed = await ended(run('start.js', { LONGHAUL_TOOLS: path.join(dataDir, 'missing.ts') }));
  expect(failed.code).toBe(1);
  expect(failed.said).toMatch(/the worker ended at once[^]*missing\.ts cannot be loaded/);
  expect(await health()).toBeUndefined();
});

test('npm run stop ends everything, also what a killed start left; with nothing running it says so', async () => {
  const killed = await aReadyService();
  const parts = partsOf().map((part) => part.pid);
  killed.child.kill('SIGKILL');
  await ended(killed);
  const stop = await ended(run('stop.js'));
  expect(stop.code).toBe(0);
  expect(stop.said).toMatch(/^stopped .*worker.*Temporal, PostgreSQL$/m);
  expect(parts.filter(isAlive)).toEqual([]);
  expect(await ended(run('stop.js'))).toEqual({ code: 0, said: `nothing was running on ${dataDir}\n` });
});
