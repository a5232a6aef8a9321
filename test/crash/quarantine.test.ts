// A call that kills its worker again and again ends its own run, and nobody else's.
import path from 'node:path';
import type { Service } from '../../embedded/services.js';
import { ApiCaller, type TestService, calls, done, scriptOf, sinkAgent, startTestService } from '../support/service.js';
import { type Sink, startSink } from '../support/sink.js';

let service: TestService;
let api: ApiCaller;
let sink: Sink;
let worker: Service;
let deaths = 0;
const over = new AbortController();

beforeAll(async () => {
  const env = { LONGHAUL_TOOLS: path.join(__dirname, '..', 'support', 'poisonTools.ts') };
  [service, sink] = await Promise.all([startTestService({ worker: false, env }), startSink()]);
  api = ApiCaller.of(service);
  void keepAWorker();
});
afterAll(async () => {
  over.abort();
  await worker?.stop();
  await service?.stop();
  await sink?.close();
});

/** What a supervisor does. */
async function keepAWorker(): Promise<void> {
  while (!over.signal.aborted) {
    worker = await service.startWorker();
    await worker.ended;
    deaths += 1;
  }
}

async function start(name: string, turns: Parameters<typeof scriptOf>[1], more = {}): Promise<string> {
  await service.model.putScript(scriptOf(name, turns));
  await api.putAgent(sinkAgent(name, sink.url, more));
  return (await api.startRun(name)).id;
}

test.each(['poison', 'peek'])(
  'a %s that takes its worker down three times stops its run with a reason; another run of that worker completes',
  async (tool) => {
    deaths = 0;
    await service.model.holdAt({ name: `held-${tool}`, script: `healthy-${tool}`, turn: 0, at: 'beforeStop' });
    const healthy = await start(`healthy-${tool}`, [calls(['charge', { what: 'h' }]), done()]);
    await service.model.waitForHold(`held-${tool}`);
    const sick = await start(`sick-${tool}`, [calls([tool, {}]), done('I will not do that again.')], { tools: [tool] });

    expect(await api.ended(sick, 90_000)).toMatchObject({ status: 'stopped', stopReason: 'quarantined' });
    expect(deaths).toBe(3);
    const events = await api.events(sick);
    expect(events.filter((e) => e.type === 'tool.started').map((e) => e.data['attempt'])).toEqual([1, 2, 3]);
    expect(events.find((e) => e.type === 'run.stopped')?.data['detail']).toContain('3 times');

    await service.model.release(`held-${tool}`);
    expect(await api.ended(healthy)).toMatchObject({ status: 'completed' });

    await api.ok('POST', `/v1/runs/${sick}/resume`, {});
    expect(await api.runWith(sick, 'completed', (r) => r.status === 'completed')).toMatchObject({
      output: { text: 'I will not do that again.' },
    });
    expect(deaths).toBe(3);
  },
  120_000,
);
