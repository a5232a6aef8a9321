// Two tenants on one service.
import { aForeignKey, startTestApi, type TestApi } from './support.js';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.stop());

const count = async (path: string): Promise<number> => {
  const { body } = await api.call('GET', path);
  return (body['data'] as unknown[]).length;
};

test('each lists what is its own', async () => {
  const { id } = await api.aRun();
  const headers = { authorization: `Bearer ${await aForeignKey(api.deps)}` };
  for (const path of ['/v1/runs', '/v1/agents', '/v1/approvals']) {
    expect((await api.call('GET', path, { headers })).body['data']).toEqual([]);
  }
  for (const path of ['', '/events', '/steps', '/stream'].map((end) => `/v1/runs/${id}${end}`)) {
    expect((await api.call('GET', path, { headers })).status).toBe(404);
  }
});

test('every request reads behind row-level security: where PostgreSQL shows nothing there is nothing', async () => {
  const { id } = await api.aRun();
  expect(await count('/v1/runs')).toBeGreaterThan(0);
  expect(await count('/v1/keys')).toBeGreaterThan(0);
  for (const table of ['agent_runs', 'agents', 'api_keys']) {
    await api.deps.wholePool.query(`ALTER POLICY tenant ON ${table} USING (false)`);
  }
  for (const path of ['/v1/runs', '/v1/agents', '/v1/keys']) expect(await count(path)).toBe(0);
  for (const path of ['', '/events', '/steps', '/stream', '/undo'].map((end) => `/v1/runs/${id}${end}`)) {
    expect((await api.call('GET', path)).status).toBe(404);
  }
  const started = await api.call('POST', '/v1/runs', { body: { agent: 'plain', input: 'go' } });
  expect(started.status).not.toBe(201);
});
