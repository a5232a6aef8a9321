// Temporal and PostgreSQL are killed with SIGKILL in the middle of runs and started again on the same data.
import { rmSync } from 'node:fs';
import path from 'node:path';
import { loadConfig } from '../../config/env.js';
import { startPostgres } from '../../embedded/postgres.js';
import { ScriptedModelControl } from '../../embedded/scriptedModel/client.js';
import { startScriptedModel } from '../../embedded/scriptedModel/server.js';
import { type Services, startServices } from '../../embedded/services.js';
import { startTemporal } from '../../embedded/temporal.js';
import { ApiCaller, calls, done, scriptOf, sinkAgent } from '../support/service.js';
import { type Sink, startSink } from '../support/sink.js';
import { emptyDataDir } from '../embedded/support.js';

// Two servers come back, and everybody finds them again: on a busy machine that takes a while.
jest.setTimeout(180_000);

let dataDir: string;
let services: Services;
let api: ApiCaller;
let sink: Sink;
let model: ScriptedModelControl;
let closeModel: () => Promise<void>;

beforeAll(async () => {
  dataDir = emptyDataDir('servers');
  const scripted = await startScriptedModel();
  closeModel = () => scripted.close();
  model = new ScriptedModelControl(scripted.url);
  sink = await startSink();
  services = await startServices({
    config: loadConfig({ LONGHAUL_DATA_DIR: dataDir, LONGHAUL_PORT: '0', LONGHAUL_SCRIPTED_MODEL_URL: scripted.url }),
    env: { NODE_OPTIONS: '--no-warnings', LONGHAUL_AGENTS_DIR: path.join(dataDir, 'agents') },
    onLine: () => undefined,
  });
  await Promise.all([services.startWorker(), services.startApi()]);
  api = ApiCaller.of(services);
});
afterAll(async () => {
  await services?.stop();
  await services?.stopServers();
  await sink?.close();
  await closeModel?.();
  rmSync(dataDir, { recursive: true, force: true });
});

/** A run that is in the middle of a tool call, with an approval still to come. */
async function aRunInTheMiddle(name: string): Promise<{ id: string; letGo: () => void }> {
  await model.putScript(
    scriptOf(name, [
      calls(['look', { what: '1' }]),
      calls(['charge', { what: '2' }]),
      calls(['charge', { what: 'ask' }]),
      done(),
    ]),
  );
  await api.putAgent(sinkAgent(name, sink.url, { approve: [{ tool: 'charge', when: 'arguments.what == "ask"' }] }));
  const hold = sink.holdNext('/look');
  const { id } = await api.startRun(name);
  await hold.arrived;
  return { id, letGo: () => hold.release() };
}

async function expectItCompletesOnce(name: string, id: string): Promise<void> {
  const approval = await api.firstApproval(id);
  await api.decide(approval, 'approve');
  expect(await api.ended(id, 120_000)).toMatchObject({ status: 'completed', steps: 4 });
  expect(sink.effects().filter((e) => e.key.startsWith(id))).toHaveLength(3);
  expect((await model.bill(name)).repeated).toEqual([]);
}

test('PostgreSQL killed in the middle of a run: it comes back, and the run completes with every effect once', async () => {
  const { id, letGo } = await aRunInTheMiddle('postgres-dies');
  const { pid } = await startPostgres({ dataDir });
  process.kill(pid, 'SIGKILL');
  letGo(); // the result arrives while there is nowhere to store it
  const again = await startPostgres({ dataDir });
  expect(again).toMatchObject({ started: true, url: services.databaseUrl });
  await expectItCompletesOnce('postgres-dies', id);
});

test('Temporal killed in the middle of a run: it comes back, and the run completes with every effect once', async () => {
  const { id, letGo } = await aRunInTheMiddle('temporal-dies');
  const { pid } = await startTemporal({ dataDir });
  process.kill(pid, 'SIGKILL');
  letGo();
  const again = await startTemporal({ dataDir });
  expect(again).toMatchObject({ started: true, address: services.temporalAddress });
  await expectItCompletesOnce('temporal-dies', id);
});
