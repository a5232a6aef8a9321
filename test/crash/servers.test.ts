// Temporal and PostgreSQL are killed with SIGKILL in the middle of runs and started again on the same data.
import { startPostgres } from '../../embedded/postgres.js';
import { startTemporal } from '../../embedded/temporal.js';
import { type OwnServers, startOwnServers } from '../support/ownServers.js';
import { calls, done, scriptOf, sinkAgent } from '../support/service.js';
import { type Sink, startSink } from '../support/sink.js';

// Two servers come back, and everybody finds them again: on a busy machine that takes a while.
jest.setTimeout(180_000);

let own: OwnServers;
let sink: Sink;

beforeAll(async () => {
  [own, sink] = await Promise.all([startOwnServers('servers'), startSink()]);
});
afterAll(async () => {
  await own?.stop();
  await sink?.close();
});

/** A run that is in the middle of a tool call, with an approval still to come. */
async function aRunInTheMiddle(name: string): Promise<{ id: string; letGo: () => void }> {
  const { api, model } = own;
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
  const { api, model } = own;
  const approval = await api.firstApproval(id);
  await api.decide(approval, 'approve');
  expect(await api.ended(id, 120_000)).toMatchObject({ status: 'completed', steps: 4 });
  expect(sink.effects().filter((e) => e.key.startsWith(id))).toHaveLength(3);
  expect((await model.bill(name)).repeated).toEqual([]);
}

test('PostgreSQL killed in the middle of a run: it comes back, and the run completes with every effect once', async () => {
  const { id, letGo } = await aRunInTheMiddle('postgres-dies');
  const { pid } = await startPostgres(own);
  process.kill(pid, 'SIGKILL');
  letGo(); // the result arrives while there is nowhere to store it
  const again = await startPostgres(own);
  expect(again).toMatchObject({ started: true, url: own.services.databaseUrl });
  await expectItCompletesOnce('postgres-dies', id);
});

test('Temporal killed in the middle of a run: it comes back, and the run completes with every effect once', async () => {
  const { id, letGo } = await aRunInTheMiddle('temporal-dies');
  const { pid } = await startTemporal(own);
  process.kill(pid, 'SIGKILL');
  letGo();
  const again = await startTemporal(own);
  expect(again).toMatchObject({ started: true, address: own.services.temporalAddress });
  await expectItCompletesOnce('temporal-dies', id);
});
