// The embedded Temporal server with real processes: start, reuse, stop, SIGKILL, and what an existing file lacks.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { isAlive } from '../../embedded/processes.js';
import { startTemporal, stopTemporal } from '../../embedded/temporal.js';
import { emptyDataDir, takePort } from './support.js';

const started: string[] = [];
const aDataDir = (name: string): string => {
  const dataDir = emptyDataDir(name);
  started.push(dataDir);
  return dataDir;
};
afterAll(async () => {
  for (const dataDir of started) await stopTemporal(dataDir);
});

const start = (dataDir: string) => startTemporal({ dataDir, ui: false });

async function withConnection<T>(address: string, work: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address });
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

/** A workflow that no worker takes: it is open for as long as the server keeps it. */
const startWorkflow = (address: string, workflowId: string) =>
  withConnection(address, (connection) =>
    new Client({ connection }).workflow.start('noSuchWorkflow', { workflowId, taskQueue: 'nobody', args: [] }),
  );

const statusOf = (address: string, workflowId: string) =>
  withConnection(
    address,
    async (connection) => (await new Client({ connection }).workflow.getHandle(workflowId).describe()).status.name,
  );

const namespaceOf = (address: string) =>
  withConnection(address, async ({ workflowService, operatorService }) => {
    const { config } = await workflowService.describeNamespace({ namespace: 'default' });
    const { customAttributes } = await operatorService.listSearchAttributes({ namespace: 'default' });
    return {
      retentionSeconds: Number(config?.workflowExecutionRetentionTtl?.seconds),
      searchAttributes: Object.keys(customAttributes ?? {}),
    };
  });

const OURS = expect.arrayContaining(['AgentName', 'AgentRunStatus', 'TenantId']) as unknown;

test('closed runs stay 30 days, and runs can be found by agent, status and tenant', async () => {
  const { address } = await start(aDataDir('namespace'));
  expect(await namespaceOf(address)).toEqual({ retentionSeconds: 2_592_000, searchAttributes: OURS });
});

test('a database file made without our settings gets them', async () => {
  const dataDir = aDataDir('older');
  const { address } = await start(dataDir);
  await withConnection(address, async ({ workflowService, operatorService }) => {
    const seconds = 86_400 as never;
    await workflowService.updateNamespace({
      namespace: 'default',
      config: { workflowExecutionRetentionTtl: { seconds } },
    });
    await operatorService.removeSearchAttributes({ namespace: 'default', searchAttributes: ['TenantId'] });
  });
  await stopTemporal(dataDir);
  const again = await start(dataDir);
  expect(await namespaceOf(again.address)).toEqual({ retentionSeconds: 2_592_000, searchAttributes: OURS });
});

test('a second start finds the first server', async () => {
  const dataDir = aDataDir('reuse');
  const first = await start(dataDir);
  expect(await start(dataDir)).toEqual({ ...first, started: false });
});

test('killed with SIGKILL, it comes back on the same port with every run it had taken', async () => {
  const dataDir = aDataDir('sigkill');
  const first = await start(dataDir);
  const ids = Array.from({ length: 10 }, (_, i) => `run-${i}`);
  for (const id of ids) await startWorkflow(first.address, id);
  process.kill(first.pid, 'SIGKILL');
  const second = await start(dataDir);
  expect(second).toMatchObject({ address: first.address, started: true });
  for (const id of ids) expect(await statusOf(second.address, id)).toBe('RUNNING');
});

test('it outlives the process that started it, when that is killed with SIGKILL', async () => {
  const dataDir = aDataDir('parent');
  const launcher = path.join(process.cwd(), 'dist', 'embedded', 'temporal.js');
  const code = `require(${JSON.stringify(launcher)}).startTemporal({ dataDir: ${JSON.stringify(dataDir)}, ui: false })
    .then((running) => { console.log(JSON.stringify(running)); setInterval(() => undefined, 1000); })`;
  const parent = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const { pid, address } = JSON.parse(String(line)) as { pid: number; address: string };
  await startWorkflow(address, 'kept');
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  expect(await start(dataDir)).toMatchObject({ pid, started: false });
  expect(await statusOf(address, 'kept')).toBe('RUNNING');
});

test('after a stop it comes back on the same port; stopping what does not run is no error', async () => {
  const dataDir = aDataDir('stop');
  expect(await stopTemporal(dataDir)).toBe(false);
  const first = await start(dataDir);
  expect(await stopTemporal(dataDir)).toBe(true);
  expect(isAlive(first.pid)).toBe(false);
  expect(await stopTemporal(dataDir)).toBe(false);
  expect(await start(dataDir)).toMatchObject({ address: first.address, started: true });
});

test('when somebody else has taken its port in the meantime, it takes another', async () => {
  const dataDir = aDataDir('port');
  const first = await start(dataDir);
  await startWorkflow(first.address, 'kept');
  await stopTemporal(dataDir);
  const squatter = await takePort(Number(first.address.split(':')[1]));
  const second = await start(dataDir);
  squatter.close();
  expect(second.address).not.toBe(first.address);
  expect(await statusOf(second.address, 'kept')).toBe('RUNNING');
});

test('a pid that belongs to another process by now is neither taken for the server nor ended', async () => {
  const dataDir = aDataDir('stale-pid');
  await start(dataDir);
  await stopTemporal(dataDir);
  const stranger = spawn('sleep', ['600']);
  const file = path.join(dataDir, 'temporal.json');
  const state = JSON.parse(readFileSync(file, 'utf8')) as object;
  writeFileSync(file, JSON.stringify({ ...state, pid: stranger.pid }));
  expect(await stopTemporal(dataDir)).toBe(false);
  expect(stranger.exitCode ?? stranger.signalCode).toBeNull();
  expect(await start(dataDir)).toMatchObject({ started: true });
  stranger.kill();
});

test('a program that cannot be started is named, with what it said', async () => {
  const starting = startTemporal({ dataDir: aDataDir('broken'), binary: '/bin/false' });
  await expect(starting).rejects.toThrow(/Temporal's server ended at once/);
});

test('with its user interface it answers there, on loopback', async () => {
  const { uiUrl } = await startTemporal({ dataDir: aDataDir('ui') });
  expect(uiUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  const response = await fetch(`${uiUrl}/api/v1/settings`);
  expect(response.status).toBe(200);
});
