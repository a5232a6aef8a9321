// A deploy under load: every worker is replaced, one after the other, and nobody notices.
import type { Service } from '../../embedded/services.js';
import { ApiCaller, type TestService, calls, done, scriptOf, sinkAgent, startTestService } from '../support/service.js';
import { type Sink, startSink } from '../support/sink.js';

let service: TestService;
let api: ApiCaller;
let sink: Sink;

beforeAll(async () => {
  [service, sink] = await Promise.all([startTestService({ worker: false }), startSink()]);
  api = ApiCaller.of(service);
});
afterAll(async () => {
  await service?.stop();
  await sink?.close();
});

test('all workers are replaced under load: no attempt fails, nothing is done twice, every run completes', async () => {
  const workers: Service[] = [await service.startWorker(), await service.startWorker()];
  const step = { ...calls(['look', { what: 'n${turn}' }], ['charge', { what: 'n${turn}' }]), chunkDelayMs: 20 };
  await service.model.putScript(scriptOf('rolling', [{ ...step, times: 8 }, done()]));
  await api.putAgent(sinkAgent('rolling', sink.url));
  const runs = await Promise.all(Array.from({ length: 12 }, (_, i) => api.startRun('rolling', `run ${i}`)));

  for (const old of [...workers]) {
    workers.push(await service.startWorker());
    await old.stop();
  }
  const ended = await Promise.all(runs.map(({ id }) => api.ended(id, 90_000)));
  expect(ended.map((r) => r.status)).toEqual(runs.map(() => 'completed'));

  const events = (await Promise.all(runs.map(({ id }) => api.events(id)))).flat();
  const trouble = events.filter((e) => ['model.failed', 'tool.failed', 'worker.lost'].includes(e.type));
  expect(trouble).toEqual([]);
  expect(events.filter((e) => e.type === 'tool.started' && e.data['attempt'] !== 1)).toEqual([]);
  expect(sink.requests).toHaveLength(12 * 8 * 2);
  expect(sink.effects()).toHaveLength(12 * 8 * 2);
  expect((await service.model.bill('rolling')).repeated).toEqual([]);
  // The load outlasted the restart: the new workers had their share.
  const actors = new Set(events.filter((e) => e.type === 'tool.started').map((e) => e.actor.id));
  expect(actors.size).toBeGreaterThan(2);
  await Promise.all(workers.map((worker) => worker.stop()));
}, 150_000);
