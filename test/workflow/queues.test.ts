// A tool that names a task queue runs in the workers that are given it, and nowhere else.
import { ApiCaller, type TestService, calls, done, scriptOf, sinkAgent, startTestService } from '../support/service.js';
import { type Sink, startSink } from '../support/sink.js';
import { waitFor } from '../../embedded/processes.js';

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

test('a call waits for a worker of its queue, and runs there', async () => {
  await service.model.putScript(scriptOf('elsewhere', [calls(['charge', { what: 'a' }]), done()]));
  const { tools } = sinkAgent('any', sink.url) as unknown as { tools: { name: string }[] };
  const there = tools.map((tool) => (tool.name === 'charge' ? { ...tool, queue: 'machines.of-their-own' } : tool));
  await api.putAgent(sinkAgent('elsewhere', sink.url, { tools: there }));
  const { id } = await api.startRun('elsewhere');
  const pending = async () => {
    const { pendingActivities } = await service.temporal.workflow
      .getHandle(`agent-run-${id}`)
      .describe()
      .then((d) => d.raw);
    return pendingActivities?.find((activity) => activity.activityType?.name === 'executeTool');
  };
  await waitFor('the tool call to be on its queue', pending, 30_000);
  expect(sink.requests).toEqual([]);

  const worker = await service.startWorker({ LONGHAUL_QUEUES: 'machines.of-their-own', LONGHAUL_WORKER_NAME: 'there' });
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
  expect(sink.requests).toHaveLength(1);
  const returned = (await api.events(id)).find((event) => event.type === 'tool.returned');
  const asked = (await api.events(id)).find((event) => event.type === 'model.replied');
  expect(returned?.actor.id).toBeDefined();
  expect(returned?.actor.id).not.toBe(asked?.actor.id);
  await worker.stop();
});

test.each(['rows', 'a b', '', '-x', 'x'.repeat(101)])('an agent that names the queue %p is refused', async (queue) => {
  const { tools } = sinkAgent('any', sink.url) as unknown as { tools: { name: string }[] };
  const agent = sinkAgent('badly-queued', sink.url, { tools: tools.map((tool) => ({ ...tool, queue })) });
  expect(await api.call('PUT', '/v1/agents/badly-queued', agent)).toMatchObject({ status: 400 });
});
