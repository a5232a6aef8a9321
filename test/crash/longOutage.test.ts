// A provider's outage with hundreds of runs that wait for it: the provider sees one caller, and each run once it is back.
import { findCircuit } from '../../db/modelCircuits.js';
import { waitFor } from '../../embedded/processes.js';
import { query } from '../embedded/support.js';
import { ApiCaller, type TestService, done, scriptOf, sinkAgent, startTestService } from '../support/service.js';
import { createPool, type Pool } from '../../db/pool.js';

jest.setTimeout(900_000);

/** A thousand take minutes on a small machine: LONGHAUL_TEST_OUTAGE_RUNS=1000. */
const RUNS = Number(process.env['LONGHAUL_TEST_OUTAGE_RUNS'] ?? 200);
/** Started at the same time. */
const AT_ONCE = 20;
const NAME = 'long-outage';

let service: TestService;
let api: ApiCaller;
let pool: Pool;

beforeAll(async () => {
  service = await startTestService({ worker: false });
  api = ApiCaller.of(service);
  pool = createPool(service.databaseUrl);
});
afterAll(async () => {
  await pool?.end();
  await service?.stop();
});

async function startRuns(): Promise<void> {
  let next = 0;
  const lanes = Array.from({ length: AT_ONCE }, async () => {
    while (next < RUNS) await api.startRun(NAME, `go ${next++}`);
  });
  await Promise.all(lanes);
}

const howMany = async (condition: string): Promise<number> => {
  const [row] = await query<{ n: number }>(
    service.databaseUrl,
    `SELECT count(*)::integer n FROM agent_runs WHERE ${condition}`,
  );
  return row?.n ?? 0;
};

const probes = async () => (await findCircuit(pool, { provider: 'scripted', model: `scripted/${NAME}` }))?.probes ?? 0;
const asked = async () => (await service.model.journal(NAME)).length;

test('hundreds of runs wait for a model: it gets one attempt at a time, and each call once when it is back', async () => {
  const answer = done();
  await service.model.putScript(
    scriptOf(NAME, [{ ...answer, fault: { kind: 'status', status: 529, times: 'always' } }]),
  );
  await api.putAgent(sinkAgent(NAME, 'http://127.0.0.1:9'));
  await startRuns();
  const workers = await Promise.all([service.startWorker(), service.startWorker()]);
  await waitFor('all runs to wait', async () => (await howMany(`waiting->>'for' = 'model'`)) === RUNS, 600_000);

  const [probesBefore, askedBefore] = [await probes(), await asked()];
  await waitFor('three more attempts', async () => (await probes()) >= probesBefore + 3, 120_000);
  // In this order: an attempt is counted before it is made. One may have been under way when counting began.
  expect((await asked()) - askedBefore).toBeLessThanOrEqual((await probes()) - probesBefore + 1);

  await service.model.putScript(scriptOf(NAME, [answer]));
  await waitFor('all runs to complete', async () => (await howMany(`status = 'completed'`)) === RUNS, 600_000);
  const bill = await service.model.bill(NAME);
  expect({ repeated: bill.repeated, calls: bill.calls }).toEqual({ repeated: [], calls: RUNS });
  await Promise.all(workers.map((worker) => worker.stop()));
});
