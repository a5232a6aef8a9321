// Short reads run within the workflow task; what turns out to be slow goes on as an activity, without being asked again.
import { waitFor } from '../../embedded/processes.js';
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

beforeAll(async () => {
  [service, sink] = await Promise.all([startTestService(), startSink()]);
  api = ApiCaller.of(service);
});
afterAll(async () => {
  await service?.stop();
  await sink?.close();
});

async function aRun(name: string, turns: Parameters<typeof scriptOf>[1], more = {}): Promise<string> {
  await service.model.putScript(scriptOf(name, turns));
  await api.putAgent(sinkAgent(name, sink.url, more));
  return (await api.startRun(name)).id;
}

/** Names of what the history holds, in order: activities, and local ones behind a mark. */
async function executionsOf(id: string): Promise<string[]> {
  const { events } = await historyOf(service, id);
  return (events ?? []).flatMap((e) => {
    if (e.markerRecordedEventAttributes) return ['local'];
    return e.activityTaskScheduledEventAttributes?.activityType?.name ?? [];
  });
}
const requestsOf = (id: string) => sink.requests.filter((r) => r.key.startsWith(id));

test('reads of a step are no activities of their own, and a step is one workflow task', async () => {
  const id = await aRun('quick', [calls(['look', { what: 'a' }], ['look', { what: 'b' }]), done()]);
  await api.ended(id);
  expect(await executionsOf(id)).toEqual(['callModel', 'local', 'local', 'callModel', 'closeRun']);
  expect(requestsOf(id)).toHaveLength(2);
  const { events } = await historyOf(service, id);
  const tasks = events?.filter((e) => e.workflowTaskCompletedEventAttributes) ?? [];
  expect(tasks).toHaveLength(4); // the start, one a step, and the end
});

test('where the last read ran, the next is claimed with the reply that asks for it', async () => {
  const turns = ['a', 'b', 'c'].map((what) => calls(['look', { what }]));
  const id = await aRun('ahead', [...turns, done()]);
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
  const events = await api.events(id);
  const times = (type: string) => events.filter((e) => e.type === type).map((e) => e.at);
  expect(times('tool.started').slice(1)).toEqual(times('tool.decided').slice(1));
  expect(times('tool.returned').slice(1)).not.toEqual(times('tool.started').slice(1));
  expect(events.filter((e) => e.type === 'tool.started').map((e) => e.data['attempt'])).toEqual([1, 1, 1]);
  expect(requestsOf(id)).toHaveLength(3);
});

test('what happens in a run while a read that was claimed ahead is under way comes before its result', async () => {
  const { tools } = sinkAgent('any', sink.url) as unknown as { tools: object[] };
  // A tool of its own: one that was slow is no local call any more.
  const peek = { ...tools[0], name: 'peek', http: { url: `${sink.url}/peek` } };
  const [first, second] = [sink.holdNext('/peek'), sink.holdNext('/peek')];
  const turns = ['a', 'b'].map((what) => calls(['peek', { what }]));
  const id = await aRun('meanwhile', [...turns, done()], { tools: [peek] });
  await first.arrived;
  first.release();
  await second.arrived;
  await api.ok('POST', `/v1/runs/${id}/messages`, { content: 'and this' });
  second.release();
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
  const types = (await api.events(id)).map((e) => e.type);
  const from = types.lastIndexOf('tool.started');
  expect(types.slice(from, from + 4)).toEqual(['tool.started', 'message.queued', 'tool.returned', 'model.requested']);
  expect(requestsOf(id)).toHaveLength(2);
});

test('what the limit of tool calls forbids is not claimed ahead', async () => {
  const turns = ['a', 'b'].map((what) => calls(['look', { what }]));
  const id = await aRun('limited', [...turns, done()], { limits: { maxToolCalls: 1 } });
  expect(await api.ended(id)).toMatchObject({ status: 'stopped', stopReason: 'limit_tool_calls' });
  expect((await api.events(id)).filter((e) => e.type === 'tool.started')).toHaveLength(1);
  expect(requestsOf(id)).toHaveLength(1);
});

test('a read beside a call that acts is an activity like it: the other does not wait for it', async () => {
  const id = await aRun('mixed', [calls(['look', { what: 'a' }], ['charge', { what: 'b' }]), done()]);
  await api.ended(id);
  expect(await executionsOf(id)).toEqual(['callModel', 'executeTool', 'executeTool', 'callModel', 'closeRun']);
});

test('a slow read goes on as an activity: asked once, and from then on an activity from the start', async () => {
  const hold = sink.holdNext('/look');
  const id = await aRun('slow', [calls(['look', { what: 'a' }]), calls(['look', { what: 'b' }]), done()]);
  await hold.arrived;
  await waitFor('the activity', async () => (await executionsOf(id)).includes('executeTool'));
  hold.release();
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
  expect(await executionsOf(id)).toEqual([
    'callModel',
    'local',
    'executeTool',
    'callModel',
    'executeTool',
    'callModel',
    'closeRun',
  ]);
  expect(requestsOf(id)).toHaveLength(2);
  expect((await api.events(id)).filter((e) => e.type === 'tool.started').map((e) => e.data['attempt'])).toEqual([1, 1]);
});

test('a read whose destination is in trouble is tried again as an activity', async () => {
  sink.answerNext('/peek', 503);
  const peek = {
    name: 'peek',
    description: 'looks',
    input: { type: 'object', properties: {}, additionalProperties: false },
    effect: 'read',
    http: { url: `${sink.url}/peek` },
  };
  const id = await aRun('trouble', [calls(['peek', {}]), done()], { tools: [peek] });
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
  expect(await executionsOf(id)).toEqual(['callModel', 'local', 'executeTool', 'callModel', 'closeRun']);
  expect(requestsOf(id)).toHaveLength(2);
});

test('a run that is cancelled while a slow read is under way ends without waiting for it', async () => {
  const hold = sink.holdNext('/gaze');
  const gaze = {
    name: 'gaze',
    description: 'looks for long',
    input: { type: 'object', properties: {}, additionalProperties: false },
    effect: 'read',
    http: { url: `${sink.url}/gaze` },
  };
  const id = await aRun('stopped', [calls(['gaze', {}]), done()], { tools: [gaze] });
  await hold.arrived;
  await api.ok('POST', `/v1/runs/${id}/cancel`);
  expect(await api.ended(id)).toMatchObject({ status: 'cancelled' });
  hold.release();
});
