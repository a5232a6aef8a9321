// What is in flight when a run is cancelled, steered or mended: nobody waits for it, and it is told what became of each.
import { ApiCaller, type TestService, calls, done, scriptOf, sinkAgent, startTestService } from '../support/service.js';
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

test('cancel does not wait for tools in flight, and says of each what became of it', async () => {
  const holds = ['/look', '/charge', '/launch'].map((path) => sink.holdNext(path));
  const id = await aRun('tools', [
    calls(['look', { what: 'a' }], ['charge', { what: 'b' }], ['launch', { what: 'c' }]),
    done(),
  ]);
  await Promise.all(holds.map((hold) => hold.arrived));
  await api.ok('POST', `/v1/runs/${id}/cancel`, { reason: 'enough' });
  expect(await api.ended(id)).toMatchObject({ status: 'cancelled' });
  const returned = (await api.events(id)).filter((e) => e.type === 'tool.returned');
  const outcomes = Object.fromEntries(returned.map((e) => [String(e.data['tool']), e.data['outcome']]));
  expect(outcomes).toEqual({ look: 'failed', charge: 'unknown', launch: 'unknown' });
  for (const hold of holds) hold.release();
  expect((await service.model.journal('tools')).map((e) => e.turn)).toEqual([0]);
});

test('cancel closes the connection of a model call, also of one that is silent', async () => {
  await service.model.holdAt({ name: 'silent', script: 'model', turn: 0, at: 'before' });
  const id = await aRun('model', [done()]);
  await service.model.waitForHold('silent');
  await api.ok('POST', `/v1/runs/${id}/cancel`);
  expect(await api.ended(id)).toMatchObject({ status: 'cancelled' });
  expect((await service.model.journal('model')).map((e) => e.status)).toEqual(['aborted']);
});

test('a message sent in the middle of a step is in the next request, behind the results of the step', async () => {
  const hold = sink.holdNext('/charge');
  const id = await aRun('steered', [
    calls(['charge', { what: 'a' }]),
    { expect: { lastUserContains: 'take the blue one' }, reply: [{ text: 'The blue one.' }] },
  ]);
  await hold.arrived;
  await api.ok('POST', `/v1/runs/${id}/messages`, { content: 'No, take the blue one.' });
  hold.release();
  expect(await api.ended(id)).toMatchObject({ status: 'completed', output: { text: 'The blue one.' } });
});

test('a step that failed is made again after the cause was mended, and no finished call with it', async () => {
  await service.model.putScript(
    scriptOf('mended', [
      calls(['charge', { what: 'a' }]),
      { fault: { kind: 'status', status: 404, type: 'not_found_error', message: 'no such model' }, ...done('Mended.') },
    ]),
  );
  await api.putAgent(sinkAgent('mended', sink.url));
  const { id } = await api.startRun('mended');
  const failed = await api.runWith(id, 'in trouble', (r) => r.status === 'failed' || r.status === 'waiting');
  if (failed.status === 'failed') await api.ok('POST', `/v1/runs/${id}/resume`, {});
  expect(await api.runWith(id, 'completed', (r) => r.status === 'completed')).toMatchObject({
    output: { text: 'Mended.' },
  });
  expect((await service.model.bill('mended')).repeated).toEqual([]);
  expect(sink.requests.filter((r) => r.key.startsWith(id))).toHaveLength(1);
});
