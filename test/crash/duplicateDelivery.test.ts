// Temporal hands one call out twice while the first attempt goes on, to the same worker or to another: one of them acts.
import { type Undo, undoWorkflowIdOf } from '../../contracts/undo.js';
import { waitFor } from '../../embedded/processes.js';
import { workflowIdOf } from '../../contracts/ids.js';
import { ApiCaller, type TestService, calls, done, scriptOf, sinkAgent, startTestService } from '../support/service.js';
import { type Sink, startSink } from '../support/sink.js';

interface Tool {
  name: string;
  http: object;
}

let service: TestService;
let api: ApiCaller;
let sink: Sink;

beforeAll(async () => {
  [service, sink] = await Promise.all([startTestService(), startSink()]);
  await service.startWorker();
  api = ApiCaller.of(service);
});
afterAll(async () => {
  await service?.stop();
  await sink?.close();
});

async function aRun(name: string, turns: Parameters<typeof scriptOf>[1]): Promise<string> {
  await service.model.putScript(scriptOf(name, turns));
  await api.putAgent(sinkAgent(name, sink.url));
  return (await api.startRun(name)).id;
}

/** Of Temporal's API: PendingActivityState STARTED. */
const STARTED = 2;

/** The run's one call in flight, once attempt number `from` or a later one has begun. */
async function inFlight(workflowId: string, from: number) {
  const { namespace } = service;
  const request = { namespace, execution: { workflowId } };
  return waitFor(`attempt ${from}`, async () => {
    const { pendingActivities } = await service.temporal.workflowService.describeWorkflowExecution(request);
    const call = pendingActivities?.[0];
    if (Number(call?.state) !== STARTED || (call?.attempt ?? 0) < from) return undefined;
    return {
      id: call?.activityId ?? '',
      attempt: call?.attempt ?? 0,
      worker: call?.lastWorkerIdentity ?? '',
      hasBeaten: Number(call?.lastHeartbeatTime?.seconds ?? 0) > Number(call?.lastStartedTime?.seconds),
    };
  });
}

/** Fails the attempt at Temporal, as a time-out does, until both workers have had one. Their calls go on meanwhile. */
async function handOutToBoth(workflowId: string): Promise<void> {
  let call = await inFlight(workflowId, 1);
  for (const first = call.worker; call.worker === first; call = await inFlight(workflowId, call.attempt + 1)) {
    await service.temporal.workflowService.respondActivityTaskFailedById({
      namespace: service.namespace,
      workflowId,
      activityId: call.id,
      failure: { message: 'lost sight of', applicationFailureInfo: { nextRetryDelay: { nanos: 1_000_000 } } },
    });
  }
  // It beats after a second: by then the latest attempt has looked at what is stored.
  await waitFor('the latest attempt to beat', async () => (await inFlight(workflowId, call.attempt)).hasBeaten);
}

test.each(['charge', 'launch'])(
  'a %s that is handed to two workers acts once, and its result is the result',
  async (tool) => {
    const hold = sink.holdNext(`/${tool}`);
    const id = await aRun(`twice-${tool}`, [
      calls([tool, { what: 'x' }]),
      { ...done(), expect: { toolResult: { tool, contains: '"ok":true', isError: false } } },
    ]);
    await hold.arrived;
    await handOutToBoth(workflowIdOf(id));
    hold.release();
    expect(await api.ended(id)).toMatchObject({ status: 'completed', usage: { toolCalls: 1 } });
    expect(sink.requests.filter((r) => r.key.startsWith(id))).toHaveLength(1);
    const events = (await api.events(id)).map((e) => e.type);
    expect(events.filter((type) => type === 'tool.started')).toHaveLength(1);
    expect(events).not.toContain('tool.result_late');
  },
);

test('a call that is taken back is handed to two workers and taken back once', async () => {
  const name = 'twice-undo';
  await service.model.putScript(scriptOf(name, [calls(['charge', { what: 'x' }]), done()]));
  const { tools, ...agent } = sinkAgent(name, sink.url) as unknown as { name: string; tools: Tool[] };
  const undoUrl = `${sink.url}/refund`;
  const withUndo = tools.map((tool) => (tool.name === 'charge' ? { ...tool, http: { ...tool.http, undoUrl } } : tool));
  await api.putAgent({ ...agent, tools: withUndo });
  const { id } = await api.startRun(name);
  await api.ended(id);

  const hold = sink.holdNext('/refund');
  const { plan } = await api.ok<Undo>('GET', `/v1/runs/${id}/undo`);
  await api.ok('POST', `/v1/runs/${id}/undo`, { planDigest: plan.digest });
  await hold.arrived;
  await handOutToBoth(undoWorkflowIdOf(id, 1));
  hold.release();
  const { last } = await waitFor('the undo to finish', async () => {
    const seen = await api.ok<Undo>('GET', `/v1/runs/${id}/undo`);
    return seen.last?.status === 'finished' ? seen : undefined;
  });
  expect(last?.calls).toMatchObject([{ outcome: 'undone', attempts: 1 }]);
  expect(sink.requests.filter((r) => r.path === '/refund')).toHaveLength(1);
});

test('a model call that is handed to two workers is bought once', async () => {
  await service.model.holdAt({ name: 'twice', script: 'twice-model', turn: 0, at: 'afterFirstDelta' });
  const id = await aRun('twice-model', [done('a text that is long enough to be sent in pieces')]);
  await service.model.waitForHold('twice');
  await handOutToBoth(workflowIdOf(id));
  await service.model.release('twice');
  expect(await api.ended(id)).toMatchObject({ status: 'completed', usage: { modelCalls: 1 } });
  expect((await service.model.journal('twice-model')).map((e) => e.status)).toEqual(['answered']);
});

test('a cancel reaches the attempt that is at work, whichever Temporal tells', async () => {
  await service.model.holdAt({ name: 'stop', script: 'twice-stopped', turn: 0, at: 'afterFirstDelta' });
  const id = await aRun('twice-stopped', [done('a text that is long enough to be sent in pieces')]);
  await service.model.waitForHold('stop');
  await handOutToBoth(workflowIdOf(id));
  await api.ok('POST', `/v1/runs/${id}/cancel`, {});
  expect(await api.ended(id)).toMatchObject({ status: 'cancelled' });
  await waitFor(
    'the socket to be closed',
    async () => (await service.model.journal('twice-stopped')).some((e) => e.status === 'aborted'),
    30_000,
  );
});
