// The clock of the processes is set while runs are under way, forwards or back: by somebody, or by a time service.
import { mkdtempSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Service } from '../../embedded/services.js';
import { waitFor } from '../../embedded/processes.js';
import { ApiCaller, type TestService, calls, done, scriptOf, sinkAgent, startTestService } from '../support/service.js';
import { type Sink, startSink } from '../support/sink.js';
import { query } from '../embedded/support.js';

jest.setTimeout(120_000);

let service: TestService;
let api: ApiCaller;
let sink: Sink;
let workers: Service[];
let clockFile: string;

beforeAll(async () => {
  clockFile = path.join(mkdtempSync(path.join(process.env['LONGHAUL_TEST_DIR'] as string, 'clock-')), 'offset');
  setClock(0);
  const env = {
    NODE_OPTIONS: `--no-warnings --require ${path.join(__dirname, '..', 'support', 'setClock.cjs')}`,
    LONGHAUL_TEST_CLOCK: clockFile,
  };
  [service, sink] = await Promise.all([startTestService({ worker: false, env }), startSink()]);
  api = ApiCaller.of(service);
});
beforeEach(async () => {
  setClock(0);
  workers = await Promise.all([service.startWorker(), service.startWorker()]);
});
afterEach(() => Promise.all(workers.map((worker) => worker.stop())));
afterAll(async () => {
  await service?.stop();
  await sink?.close();
});

const DAY_MS = 86_400_000;
const setClock = (offsetMs: number): void => writeFileSync(clockFile, String(offsetMs));

async function aRun(name: string, turns: Parameters<typeof scriptOf>[1]): Promise<string> {
  await service.model.putScript(scriptOf(name, turns));
  const { tools } = sinkAgent(name, sink.url) as unknown as { tools: object[] };
  const patient = tools.map((tool) => ({ ...tool, timeout: '5m' }));
  await api.putAgent(sinkAgent(name, sink.url, { tools: patient, approve: [{ tool: 'charge' }] }));
  return (await api.startRun(name)).id;
}

/** Until every living worker has renewed its lease as often as it takes for one that had not to count as silent. */
async function renewals(times: number): Promise<void> {
  let last = '';
  for (let seen = 0; seen <= times; seen++) {
    last = await waitFor('the workers to renew their leases', async () => {
      const sql = 'SELECT min(renewed_at)::text AS at FROM workers WHERE stopped_at IS NULL AND lost_at IS NULL';
      const [row] = await query<{ at: string }>(service.databaseUrl, sql);
      return row && row.at !== last ? row.at : undefined;
    });
  }
}

test.each([
  ['two days ahead', 2 * DAY_MS],
  ['two days back', -2 * DAY_MS],
])(
  'a clock that is set %s: calls in flight bring their results, questions stay open, no worker is taken for dead',
  async (what, offset) => {
    const name = `clock-${what.replaceAll(' ', '-')}`;
    const launch = sink.holdNext('/launch');
    const id = await aRun(name, [
      calls(['launch', { what: 'rocket' }]),
      { ...calls(['charge', { what: 'fuel' }]), expect: { toolResult: { tool: 'launch', isError: false } } },
      done(),
    ]);
    await launch.arrived;
    const asked = await aRun(`${name}-asked`, [calls(['charge', { what: 'y' }]), done()]);
    const question = await api.firstApproval(asked);
    setClock(offset);
    await renewals(5);
    launch.release();
    await api.decide(await api.firstApproval(id), 'approve');
    await api.decide(question, 'approve');
    for (const run of [id, asked]) {
      expect(await api.ended(run)).toMatchObject({ status: 'completed' });
      const events = await api.events(run);
      expect(events.map((e) => e.type)).not.toContain('worker.lost');
      expect(events.map((e) => e.seq)).toEqual(events.map((_, i) => i + 1));
    }
    expect(
      sink.requests
        .filter((r) => [id, asked].some((run) => r.key.startsWith(run)))
        .map((r) => r.path)
        .toSorted(),
    ).toEqual(['/charge', '/charge', '/launch']);
    expect((await service.model.bill(name)).repeated).toEqual([]);
  },
);

test.each([
  ['ahead', 2 * DAY_MS],
  ['back', -2 * DAY_MS],
])('a worker that dies after a clock was set %s is noticed as before', async (what, offset) => {
  const name = `clock-death-${what}`;
  await service.model.holdAt({ name, script: name, turn: 0, at: 'afterFirstDelta' });
  const id = await aRun(name, [done('a text that is long enough to be sent in several pieces')]);
  await service.model.waitForHold(name);
  setClock(offset);
  await renewals(1);
  const [first, second] = workers as [Service, Service];
  const [asking] = await query<{ pid: number }>(
    service.databaseUrl,
    'SELECT w.pid FROM workers w JOIN model_calls c ON c.asked_by = w.id WHERE c.agent_run_id = $1',
    [id],
  );
  const dead = first.pid === asking?.pid ? first : second;
  await dead.kill();
  await waitFor('the other one to notice', async () => {
    const sql = 'SELECT 1 FROM workers WHERE pid = $1 AND lost_at IS NOT NULL';
    return (await query(service.databaseUrl, sql, [dead.pid])).length > 0;
  });
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
  expect((await service.model.journal(name)).map((e) => e.status)).toEqual(['aborted', 'answered']);
});

test('a key that is revoked after the clock was set back is refused soon', async () => {
  const made = await api.ok<{ id: string; key: string }>('POST', '/v1/keys', { name: 'clock', roles: ['viewer'] });
  const stranger = new ApiCaller(service.apiUrl, made.key);
  await stranger.ok('GET', '/v1/runs');
  setClock(-2 * DAY_MS);
  await api.ok('DELETE', `/v1/keys/${made.id}`);
  const answer = await waitFor(
    'the key to be refused',
    async () => {
      const { status, body } = await stranger.call('GET', '/v1/runs');
      return status === 200 ? undefined : { status, body };
    },
    20_000,
  );
  expect(answer).toMatchObject({ status: 401, body: { detail: expect.stringContaining('revoked') } });
});
