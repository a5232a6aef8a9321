// A dead worker's calls are handed back by whoever notices, long before Temporal's own time-outs would.
import { waitFor } from '../../embedded/processes.js';
import type { Service } from '../../embedded/services.js';
import {
  ApiCaller,
  type TestService,
  calls,
  done,
  historyOf,
  scriptOf,
  sinkAgent,
  startTestService,
} from '../support/service.js';
import { type Sink, startSink } from '../support/sink.js';

let service: TestService;
let api: ApiCaller;
let sink: Sink;
const workers: Service[] = [];

beforeAll(async () => {
  [service, sink] = await Promise.all([startTestService({ worker: false }), startSink()]);
  api = ApiCaller.of(service);
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.stop()));
});
afterAll(async () => {
  await service?.stop();
  await sink?.close();
});

async function aWorker(): Promise<Service> {
  const worker = await service.startWorker();
  workers.push(worker);
  return worker;
}

async function aRun(name: string, turns: Parameters<typeof scriptOf>[1], timeout = '20s'): Promise<string> {
  await service.model.putScript(scriptOf(name, turns));
  const { tools } = sinkAgent(name, sink.url) as unknown as { tools: object[] };
  await api.putAgent(sinkAgent(name, sink.url, { tools: tools.map((tool) => ({ ...tool, timeout })) }));
  return (await api.startRun(name)).id;
}

/** Why attempts before the last one of each activity failed, as Temporal's history has it. */
async function lastFailuresOf(id: string): Promise<string[]> {
  const { events } = await historyOf(service, id);
  return (events ?? []).flatMap((e) => {
    const failure = e.activityTaskStartedEventAttributes?.lastFailure;
    if (!failure) return [];
    return failure.applicationFailureInfo?.type ?? (failure.timeoutFailureInfo ? 'time-out' : 'other');
  });
}

async function modelCallOnDeadWorker(name: string, more: () => Promise<unknown>): Promise<string> {
  const first = await aWorker();
  await service.model.holdAt({ name, script: name, turn: 0, at: 'afterFirstDelta' });
  const id = await aRun(name, [done('a text that is long enough for several deltas')]);
  await service.model.waitForHold(name);
  await more();
  await first.kill();
  return id;
}

test('the next worker of the machine hands back what the one before had in flight', async () => {
  const id = await modelCallOnDeadWorker('restarted', async () => undefined);
  await aWorker();
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
  expect(await lastFailuresOf(id)).toEqual(['WorkerLost']);
  expect((await api.events(id)).find((e) => e.type === 'worker.lost')?.data).toMatchObject({ calls: 1 });
});

test('a worker that lives beside it does so without a restart', async () => {
  const id = await modelCallOnDeadWorker('beside', aWorker);
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
  expect(await lastFailuresOf(id)).toEqual(['WorkerLost']);
});

test('of two that notice one death one hands back, once', async () => {
  const id = await modelCallOnDeadWorker('noticed-twice', () => Promise.all([aWorker(), aWorker()]));
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
  expect((await api.events(id)).filter((e) => e.type === 'worker.lost')).toHaveLength(1);
  const journal = await service.model.journal('noticed-twice');
  expect(journal.map((e) => e.status)).toEqual(['aborted', 'answered']);
});

test('a worker that only stood still is not taken for dead, and what it brings when it wakes is told the model: nothing acts twice', async () => {
  const frozen = await aWorker();
  const hold = sink.holdNext('/launch');
  await service.model.holdAt({ name: 'awake', script: 'frozen', turn: 1 });
  const id = await aRun(
    'frozen',
    [
      calls(['launch', { what: 'rocket' }]),
      {
        ...done('it is unclear'),
        expect: { toolResult: { tool: 'launch', contains: 'may or may not', isError: true } },
      },
      { ...done('it is up'), expect: { lastUserContains: 'It did happen' } },
    ],
    '10m',
  );
  await hold.arrived;
  process.kill(frozen.pid, 'SIGSTOP');
  await aWorker();
  // Temporal gives the attempt up for want of heartbeats; the second one may not launch again.
  await service.model.waitForHold('awake', 90_000);
  hold.release();
  process.kill(frozen.pid, 'SIGCONT');
  await waitFor(
    'the late result',
    async () => (await api.events(id)).some((e) => e.type === 'tool.result_late' && e.data['told'] === 'as_message'),
    60_000,
  );
  await service.model.release('awake');
  expect(await api.ended(id)).toMatchObject({ status: 'completed', output: { text: 'it is up' } });
  expect((await api.events(id)).filter((e) => e.type === 'tool.returned')).toHaveLength(1);
  expect(sink.requests.filter((r) => r.key.startsWith(id))).toHaveLength(1);
}, 180_000);
