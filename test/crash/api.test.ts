// The API dies between a run's row and its workflow; another one finds the row and starts it.
import { createServer } from 'node:net';
import { waitFor } from '../../embedded/processes.js';
import { type Service } from '../../embedded/services.js';
import { Client } from 'pg';
import { ApiCaller, type TestService, done, scriptOf, sinkAgent, startTestService } from '../support/service.js';

test('a run whose API was killed inside POST /v1/runs is started by the sweep, once, under the same key', async () => {
  // A Temporal that takes connections and never answers: the API hangs exactly between row and workflow.
  const silent = createServer((socket) => socket.on('error', () => undefined));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as { port: number };
  const service: TestService = await startTestService({ api: false });
  const db = new Client({ connectionString: service.databaseUrl });
  await db.connect();
  try {
    await service.model.putScript(scriptOf('orphan', [done('found')]));
    let dying: Service = await service.startApi();
    const api = ApiCaller.of(service);
    await api.putAgent(sinkAgent('orphan', 'http://127.0.0.1:9', { tools: [] }));
    await dying.stop();

    dying = await service.startApi({ TEMPORAL_ADDRESS: `127.0.0.1:${port}` });
    const body = { agent: 'orphan', input: 'hello' };
    const headers = { 'idempotency-key': 'one' };
    const lost = api.call('POST', '/v1/runs', body, headers).catch((err: Error) => err);
    const id = await waitFor('the row of the run', async () => {
      const { rows } = await db.query<{ id: string }>('SELECT id FROM agent_runs');
      return rows[0]?.id;
    });
    await dying.kill();
    expect(await lost).toMatchObject({ name: 'TypeError' }); // the connection broke without an answer

    await service.startApi();
    const repeated = await api.call('POST', '/v1/runs', body, headers);
    expect(repeated).toMatchObject({ status: 200, body: { id } });
    expect(await api.ended(id)).toMatchObject({ status: 'completed', output: { text: 'found' } });
    expect((await service.model.bill('orphan')).calls).toBe(1);
  } finally {
    await db.end();
    await service.stop();
    silent.close();
  }
});
