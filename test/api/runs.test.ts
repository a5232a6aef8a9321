// Starting runs and finding them again: one run per key, a workflow for every row, lists in order.
import { Client, Connection } from '@temporalio/client';
import { startMissingWorkflows } from '../../housekeeping/runsWithoutWorkflow.js';
import type { AgentRunInput } from '../../contracts/agentRun.js';
import { workflowIdOf } from '../../contracts/ids.js';
import { readMessages } from '../../db/messages.js';
import { findRun } from '../../db/runs.js';
import { waitFor } from '../../embedded/processes.js';
import { NOWHERE, type TestApi, codeOf, startTestApi } from './support.js';

let api: TestApi;
let temporal: Client;
beforeAll(async () => {
  api = await startTestApi();
  const connection = await Connection.connect({ address: process.env['LONGHAUL_TEST_TEMPORAL_ADDRESS'] as string });
  temporal = new Client({
    connection,
    namespace: `test-${Number(process.env['LONGHAUL_TEST_NAMESPACES']) - 1}`,
  });
  await api.aRun();
});
afterAll(async () => {
  await temporal?.connection.close();
  await api?.stop();
});

const start = (body: Record<string, unknown>, key?: string) =>
  api.call('POST', '/v1/runs', {
    body: { agent: 'plain', input: 'hello', ...body },
    ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }),
  });
const rowsOf = async (key: string) =>
  (await api.deps.wholePool.query('SELECT id FROM agent_runs WHERE idempotency_key = $1', [key])).rows;
const describeWorkflow = (id: string) => temporal.workflow.getHandle(workflowIdOf(id)).describe();

test('a new run is queued, has its limits, and its workflow carries agent, status and tenant', async () => {
  const { status, body } = await start({ metadata: { customer: '7' }, limits: { maxSteps: 3, deadline: '1h' } });
  expect(status).toBe(201);
  expect(body).toMatchObject({
    agent: 'plain',
    agentVersion: expect.stringMatching(/^[0-9a-f]{64}$/),
    status: 'queued',
    steps: 0,
    costUsd: '0.00',
    metadata: { customer: '7' },
    limits: { maxSteps: 3, maxCostUsd: '5.00' },
    links: { temporal: `http://ui/namespaces/test/workflows/agent-run-${String(body['id'])}` },
  });
  const ahead = Date.parse((body['limits'] as { deadline: string }).deadline) - Date.parse(String(body['createdAt']));
  expect(ahead / 1000).toBeCloseTo(3600, -1);
  const workflow = await describeWorkflow(String(body['id']));
  expect(workflow).toMatchObject({ type: 'agentRun', taskQueue: 'runs', memo: { execution: 1 } });
  expect(workflow.searchAttributes).toMatchObject({
    AgentName: ['plain'],
    AgentRunStatus: ['queued'],
    TenantId: ['default'],
  });
});

test('the log begins with run.created and the queued input, both by the key that asked', async () => {
  const { body } = await start({});
  const events = await api.call('GET', `/v1/runs/${String(body['id'])}/events`);
  expect(events.body).toMatchObject({
    data: [
      { seq: 1, type: 'run.created', actor: { kind: 'key' }, data: { agent: 'plain', limits: { maxSteps: 100 } } },
      { seq: 2, type: 'message.queued', actor: { kind: 'key' } },
    ],
    nextAfter: null,
  });
  expect(JSON.stringify(events.body)).not.toContain('hello');
});

test('the deadline counts from the time a run is asked to start', async () => {
  const startAt = new Date(Date.now() + 86_400_000).toISOString();
  const { body } = await start({ startAt, limits: { deadline: '1h' } });
  expect(body).toMatchObject({ startAt });
  const { deadline } = body['limits'] as { deadline: string };
  expect(Date.parse(deadline) - Date.parse(startAt)).toBe(3_600_000);
});

test('ten clients with one key at once make exactly one run and all get it', async () => {
  const answers = await Promise.all(Array.from({ length: 10 }, () => start({}, 'ten')));
  expect(answers.map((a) => a.status).toSorted((a, b) => a - b)).toEqual([...Array<number>(9).fill(200), 201]);
  expect(new Set(answers.map((a) => a.body['id'])).size).toBe(1);
  expect(await rowsOf('ten')).toHaveLength(1);
});

test('a key that was used with another body is 409 and names the run it started', async () => {
  const first = await start({}, 'conflict');
  const answers = await Promise.all([
    start({ input: 'other' }, 'conflict'),
    start({ metadata: {} }, 'conflict'),
    start({ agent: `plain@${String(first.body['agentVersion'])}` }, 'conflict'),
  ]);
  for (const answer of answers) {
    expect({ status: answer.status, code: codeOf(answer) }).toEqual({ status: 409, code: 'idempotency-conflict' });
    expect(answer.body['runId']).toBe(first.body['id']);
  }
});

test('clients with one key and different bodies at once: one wins, the others are told', async () => {
  const answers = await Promise.all(Array.from({ length: 6 }, (_, i) => start({ input: `body ${i}` }, 'race')));
  expect(answers.filter((a) => a.status === 201)).toHaveLength(1);
  expect(answers.filter((a) => a.status === 409)).toHaveLength(5);
});

test('the order of fields in the body does not matter to a key', async () => {
  const raw = (text: string) => api.call('POST', '/v1/runs', { raw: text, headers: { 'idempotency-key': 'order' } });
  const one = await raw('{"agent":"plain","input":"x","metadata":{"a":"1","b":"2"}}');
  const two = await raw('{"metadata":{"b":"2","a":"1"},"input":"x","agent":"plain"}');
  expect([one.status, two.status]).toEqual([201, 200]);
  expect(two.body['id']).toBe(one.body['id']);
});

test('two keys are two runs, and no key is a new run each time', async () => {
  const answers = [await start({}, 'k1'), await start({}, 'k2'), await start({}), await start({})];
  expect(new Set(answers.map((a) => a.body['id'])).size).toBe(4);
});

test('a run stays on the version it was started with', async () => {
  const before = await start({});
  const changed = { name: 'moving', model: 'scripted/plain', instructions: 'one' };
  const first = await api.call('PUT', '/v1/agents/moving', { body: changed });
  const run = await start({ agent: 'moving' });
  await api.call('PUT', '/v1/agents/moving', { body: { ...changed, instructions: 'two' } });
  const again = await api.call('GET', `/v1/runs/${String(run.body['id'])}`);
  expect(again.body['agentVersion']).toBe(first.body['version']);
  const pinned = await start({ agent: `moving@${String(first.body['version']).slice(0, 8)}` });
  expect(pinned.body['agentVersion']).toBe(first.body['version']);
  expect((await start({ agent: 'moving' })).body['agentVersion']).not.toBe(first.body['version']);
  expect(before.status).toBe(201);
});

describe('when Temporal is away', () => {
  let alone: TestApi;
  beforeAll(async () => {
    alone = await startTestApi({ temporal: NOWHERE });
  });
  afterAll(() => alone?.stop());

  test('a run is taken all the same, and the sweep of any API starts its workflow later, once', async () => {
    const { id } = await alone.aRun();
    expect((await findRun(alone.deps.wholePool, id))?.workflowStartedAt).toBeNull();

    const back = { pool: alone.deps.wholePool, workflows: api.deps.workflows, log: alone.deps.log };
    const sweep = () => startMissingWorkflows(back, 0);
    const swept = await Promise.all([sweep(), sweep(), sweep()]);
    expect(swept.flat()).toEqual([{ tenantId: 'default', text: `${id} had no workflow; started` }]);
    expect(await describeWorkflow(id)).toMatchObject({ status: { name: 'RUNNING' } });
    expect((await findRun(alone.deps.wholePool, id))?.workflowStartedAt).not.toBeNull();
    expect(await sweep()).toEqual([]);
    const repaired = (await alone.call('GET', `/v1/runs/${id}/events`)).body['data'] as { type: string }[];
    expect(repaired.filter((e) => e.type === 'run.repaired')).toHaveLength(1);
    expect(await readMessages(alone.deps.wholePool, id)).toEqual([]);
  });

  test('a cancel that came before the workflow reaches the workflow', async () => {
    const { id } = await alone.aRun();
    const answer = await alone.call('POST', `/v1/runs/${id}/cancel`, { body: { reason: 'changed my mind' } });
    expect({ status: answer.status, code: codeOf(answer) }).toEqual({ status: 503, code: 'unavailable' });
    expect(answer.headers['retry-after']).toBeDefined();

    await startMissingWorkflows({ pool: alone.deps.wholePool, workflows: api.deps.workflows, log: alone.deps.log }, 0);
    await waitFor('the cancel to be in history', async () => {
      const { events } = await temporal.workflow.getHandle(workflowIdOf(id)).fetchHistory();
      return events?.some((e) => e.workflowExecutionCancelRequestedEventAttributes) === true;
    });
  });

  test('one run that cannot be started does not keep the sweep from the others', async () => {
    const { id: poison } = await alone.aRun();
    const { id } = await alone.aRun();
    const workflows = {
      ...api.deps.workflows,
      start: (input: AgentRunInput, execution: number, installation: string) =>
        input.agentRunId === poison
          ? Promise.reject(new Error('refused for good'))
          : api.deps.workflows.start(input, execution, installation),
    };
    expect(await startMissingWorkflows({ pool: alone.deps.wholePool, workflows, log: alone.deps.log }, 0)).toHaveLength(
      1,
    );
    expect((await findRun(alone.deps.wholePool, id))?.workflowStartedAt).not.toBeNull();
  });

  test('readiness names it', async () => {
    const answer = await alone.call('GET', '/readyz', { as: 'nobody' });
    expect(answer).toMatchObject({ status: 503, body: { status: 'not ready', missing: ['Temporal'] } });
    expect((await alone.call('GET', '/healthz', { as: 'nobody' })).status).toBe(200);
  });
});

describe('lists', () => {
  let listing: TestApi;
  const ids: string[] = [];
  beforeAll(async () => {
    listing = await startTestApi();
    for (let i = 0; i < 7; i++) {
      ids.unshift((await listing.aRun({ metadata: { parity: i % 2 === 0 ? 'even' : 'odd', n: String(i) } })).id);
    }
    await listing.end(ids[0] as string, 'completed');
  });
  afterAll(() => listing?.stop());

  const list = async (query: string): Promise<{ ids: string[]; nextCursor: string | null }> => {
    const { status, body } = await listing.call('GET', `/v1/runs?${query}`);
    expect(status).toBe(200);
    return {
      ids: (body['data'] as { id: string }[]).map((r) => r.id),
      nextCursor: body['nextCursor'] as string | null,
    };
  };

  test('runs come newest first, and pages of any size join without gap or repeat', async () => {
    expect((await list('')).ids).toEqual(ids);
    for (const limit of [1, 2, 3, 7, 8]) {
      const seen: string[] = [];
      let cursor: string | null = null;
      do {
        const page = await list(`limit=${limit}${cursor === null ? '' : `&cursor=${cursor}`}`);
        seen.push(...page.ids);
        cursor = page.nextCursor;
      } while (cursor !== null);
      expect(seen).toEqual(ids);
    }
  });

  test('a run that starts between two pages shifts nothing', async () => {
    const first = await list('limit=3');
    const { id } = await listing.aRun();
    const rest = await list(`limit=50&cursor=${String(first.nextCursor)}`);
    expect([...first.ids, ...rest.ids]).toEqual(ids);
    ids.unshift(id);
  });

  test('status, agent, time and metadata filter', async () => {
    expect((await list('status=completed')).ids).toHaveLength(1);
    expect((await list('agent=plain')).ids).toEqual(ids);
    expect((await list('agent=other')).ids).toEqual([]);
    expect((await list('metadata.parity=odd')).ids).toHaveLength(3);
    expect((await list('metadata.parity=odd&metadata.n=1')).ids).toHaveLength(1);
    expect((await list('createdAfter=2999-01-01T00:00:00Z')).ids).toEqual([]);
    expect((await list('createdBefore=2999-01-01T00:00:00Z')).ids).toEqual(ids);
  });
});
