// What housekeeping mends between Temporal and the database, with real workflows.
import { Pool } from 'pg';
import pino from 'pino';
import { createRunWorkflows } from '../../api/temporal.js';
import { withTransaction } from '../../db/pool.js';
import { lockRun, setCancelRequested } from '../../db/runs.js';
import { installationId } from '../../db/sweeps.js';
import { newRunId } from '../../harness/ids.js';
import { waitFor } from '../../embedded/processes.js';
import { catalogue } from '../../housekeeping/catalogue.js';
import { stopLost, stopTerminated } from '../../housekeeping/endedOutside.js';
import { cancelAgain } from '../../housekeeping/lostCancellations.js';
import { type TemporalView, createTemporalView } from '../../housekeeping/temporalView.js';
import { terminateStrays } from '../../housekeeping/workflowsWithoutRun.js';
import { WORKFLOW_TYPE } from '../../workflows/protocol.js';
import { workflowIdOf } from '../../contracts/ids.js';
import { ApiCaller, type TestService, calls, done, scriptOf, sinkAgent, startTestService } from '../support/service.js';
import { type Sink, startSink } from '../support/sink.js';

let service: TestService;
let api: ApiCaller;
let sink: Sink;
let pool: Pool;
let temporal: TemporalView;
const log = pino({ level: 'silent' });

beforeAll(async () => {
  [service, sink] = await Promise.all([startTestService(), startSink()]);
  api = ApiCaller.of(service);
  pool = new Pool({ connectionString: service.databaseUrl, max: 8 });
  pool.on('error', () => undefined);
  temporal = createTemporalView(service.temporal);
});
afterAll(async () => {
  await pool?.end();
  await service?.stop();
  await sink?.close();
});

type Turns = Parameters<typeof scriptOf>[1];
async function aRun(name: string, turns: Turns, more: Record<string, unknown> = {}): Promise<string> {
  await service.model.putScript(scriptOf(name, turns));
  await api.putAgent(sinkAgent(name, sink.url, more));
  return (await api.startRun(name)).id;
}
const handleOf = (id: string) => service.temporal.workflow.getHandle(workflowIdOf(id));
const asking: Turns = [calls(['charge', { what: 'c' }]), done()];

async function aRunThatAsks(name: string): Promise<string> {
  const id = await aRun(name, asking, { approve: [{ tool: 'charge' }] });
  await api.firstApproval(id);
  return id;
}

describe('a workflow that was terminated', () => {
  test('stops its run with who did it and why, and a resume goes on', async () => {
    const id = await aRunThatAsks('terminated');
    await handleOf(id).terminate('wrong customer');
    const stopped = await api.ended(id); // by the API's own sweep
    expect(stopped).toMatchObject({ status: 'stopped', stopReason: 'workflow_terminated' });
    expect(await api.pendingApprovals(id)).toEqual([]);
    const last = (await api.events(id)).at(-1);
    expect(last).toMatchObject({ type: 'run.stopped', actor: { kind: 'system', id: 'housekeeping' } });
    expect(last?.data['detail']).toMatch(/^the workflow was terminated by .+: wrong customer$/);
    await api.ok('POST', `/v1/runs/${id}/resume`, {});
    expect(await api.runWith(id, 'completed', (r) => r.status === 'completed')).toMatchObject({ steps: 2 });
    expect((await service.model.bill('terminated')).repeated).toEqual([]);
  });

  test('in the middle of an irreversible call leaves that call unknown', async () => {
    const hold = sink.holdNext('/launch');
    const id = await aRun('terminated-inside', [calls(['launch', { what: 'x' }]), done()]);
    await hold.arrived;
    await handleOf(id).terminate();
    await api.ended(id);
    const steps = await api.ok<{ data: { toolCalls: { outcome: string }[] }[] }>('GET', `/v1/runs/${id}/steps`);
    expect(steps.data[0]?.toolCalls[0]?.outcome).toBe('unknown');
    hold.release();
  });

  test('is found by any number of sweeps at once and ends its run once', async () => {
    const id = await aRunThatAsks('terminated-once');
    await handleOf(id).terminate();
    await waitFor('Temporal to list it', async () => {
      for await (const found of temporal.endedOutside(new Date(0))) if (found === id) return true;
      return false;
    });
    const sweep = () => stopTerminated({ pool, temporal });
    await Promise.all([sweep(), sweep(), sweep(), stopLost({ pool, temporal }, 0)]);
    const ends = (await api.events(id)).filter((e) => e.type === 'run.stopped');
    expect(ends).toHaveLength(1);
    expect(await sweep()).toEqual([]);
  });
});

test('a workflow that Temporal does not know any more stops its run as lost', async () => {
  const id = await aRunThatAsks('deleted');
  const { namespace } = service;
  await service.temporal.workflowService.deleteWorkflowExecution({
    namespace,
    workflowExecution: { workflowId: workflowIdOf(id) },
  });
  await waitFor('Temporal to forget it', async () => (await temporal.latest(id)) === undefined);
  await waitFor('the sweep', async () => {
    await stopLost({ pool, temporal }, 0);
    return (await api.run(id)).status === 'stopped';
  });
  expect(await api.run(id)).toMatchObject({ stopReason: 'workflow_lost' });
});

test('a full comparison leaves runs alone whose workflow is there, waiting or about to start', async () => {
  const id = await aRunThatAsks('there');
  await stopLost({ pool, temporal }, 0);
  expect(await api.run(id)).toMatchObject({ status: 'waiting' });
  await api.ok('POST', `/v1/runs/${id}/cancel`);
  await api.ended(id);
});

test('a workflow that was reset in Temporal is not stopped: it goes on, buys nothing twice and knows what was decided', async () => {
  const id = await aRun(
    'reset',
    [calls(['look', { what: 'a' }]), calls(['charge', { what: 'one' }], ['charge', { what: 'two' }]), done()],
    { approve: [{ tool: 'charge' }] },
  );
  const approvals = await waitFor('both questions', async () => {
    const pending = await api.pendingApprovals(id);
    return pending.length === 2 && pending;
  });
  await api.decide(approvals[0] as never, 'reject');
  const { events = [] } = await handleOf(id).fetchHistory();
  const firstTask = events?.find((e) => e.workflowTaskCompletedEventAttributes);
  await service.temporal.workflowService.resetWorkflowExecution({
    namespace: service.namespace,
    workflowExecution: { workflowId: workflowIdOf(id) },
    reason: 'a test',
    requestId: 'reset-once',
    workflowTaskFinishEventId: firstTask?.eventId ?? null,
    resetReapplyExcludeTypes: [1, 2], // signals, updates: what was decided stands in the database alone
  });
  await stopTerminated({ pool, temporal });
  await stopLost({ pool, temporal }, 0);
  await waitFor('the second question to be open in the workflow', async () => {
    const { pendingApprovals } = await handleOf(id).query<{ pendingApprovals: unknown[] }>('getRun');
    return pendingApprovals.length === 1;
  });
  await api.decide(approvals[1] as never, 'approve');
  expect(await api.ended(id)).toMatchObject({ status: 'completed', steps: 3 });
  expect((await service.model.bill('reset')).repeated).toEqual([]);
  expect(sink.requests.filter((r) => r.key.startsWith(id)).map((r) => r.path)).toEqual(['/look', '/charge']);
});

test('a cancel that never reached Temporal is sent by housekeeping, and the log says so', async () => {
  const id = await aRunThatAsks('cancel-lost');
  const by = { kind: 'key' as const, id: 'key_of_a_dead_api' };
  await withTransaction(pool, async (tx) => {
    await lockRun(tx, id);
    await setCancelRequested(tx, id, { by, reason: 'said in time' });
  });
  const deps = { pool, temporal, workflows: createRunWorkflows(service.temporal) };
  await Promise.all([cancelAgain(deps, 0), cancelAgain(deps, 0)]);
  expect(await api.ended(id)).toMatchObject({ status: 'cancelled' });
  const events = await api.events(id);
  expect(events.some((e) => e.type === 'run.repaired')).toBe(true);
  expect(events.at(-1)).toMatchObject({ actor: by, data: { reason: 'said in time' } });
  expect(await cancelAgain(deps, 0)).toEqual([]);
});

test('a workflow of this database without a run is terminated with a reason; one of another database is left alone', async () => {
  const start = async (installation: string): Promise<string> => {
    const workflowId = workflowIdOf(newRunId());
    await service.temporal.workflow.start(WORKFLOW_TYPE, {
      workflowId,
      taskQueue: 'nobody-polls-here',
      args: [],
      memo: { execution: 1, installation },
    });
    return workflowId;
  };
  const ours = await start(await installationId(pool));
  const theirs = await start('f4b0c1de-0000-4000-8000-000000000000');
  await waitFor('both to be listed', async () => {
    const listed: string[] = [];
    for await (const { workflowId } of temporal.openWorkflows()) listed.push(workflowId);
    return listed.includes(ours) && listed.includes(theirs);
  });
  const found = await terminateStrays({ pool, temporal, log }, 0);
  expect(found).toEqual([{ tenantId: null, text: `${ours} has no run in this database; terminated` }]);
  const statusOf = async (id: string) => (await service.temporal.workflow.getHandle(id).describe()).status.name;
  expect([await statusOf(ours), await statusOf(theirs)]).toEqual(['TERMINATED', 'RUNNING']);
  expect(await terminateStrays({ pool, temporal, log }, 0)).toEqual([]);
});

test('GET /v1/housekeeping tells of every sweep when it ran and what it found', async () => {
  const all = await waitFor('the sweeps to have run', async () => {
    const { data } = await api.ok<{ data: { name: string; lastRunAt?: string; lastFound?: { findings: string[] } }[] }>(
      'GET',
      '/v1/housekeeping',
    );
    return data.every((s) => s.lastRunAt !== undefined) && data;
  });
  expect(all.map((s) => s.name)).toEqual(Object.keys(catalogue));
  const terminated = all.find((s) => s.name === 'terminated-workflows');
  expect(terminated?.lastFound?.findings.join('\n')).toMatch(/^run_\w+ was (waiting|running) and the workflow was/);
});
