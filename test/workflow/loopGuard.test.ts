// A model that makes the same call with the same result again and again.
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

const requestsOf = (id: string) => sink.requests.filter((e) => e.key.startsWith(id));

async function aRun(name: string, turns: Parameters<typeof scriptOf>[1], more = {}): Promise<string> {
  await service.model.putScript(scriptOf(name, turns));
  await api.putAgent(sinkAgent(name, sink.url, more));
  return (await api.startRun(name)).id;
}

const look = calls(['look', { what: 'same' }]);
const told = (tool: string, contains: string) => ({ expect: { toolResult: { tool, contains } } });

test.each(['look', 'charge'])(
  'the third time that %s brings the same, the model is told; the fifth time the run stops',
  async (tool) => {
    const same = calls([tool, { what: 'same' }]);
    const id = await aRun(`loop-${tool}`, [
      same,
      same,
      same,
      { ...same, ...told(tool, 'time 3 that') },
      { ...same, times: 9 },
    ]);
    expect(await api.ended(id)).toMatchObject({ status: 'stopped', stopReason: 'loop', steps: 5 });
    expect(requestsOf(id)).toHaveLength(5);
    const results = await Promise.all([2, 3].map((step) => api.ok('GET', `/v1/runs/${id}/steps/${step}`)));
    expect(JSON.stringify(results[0])).not.toContain('this very result');
    expect(JSON.stringify(results[1])).toContain('this very result');
  },
);

test('a stopped one goes on when it is resumed, and stops again where the model does not change its ways', async () => {
  const id = await aRun('loop-resumed', [{ ...look, times: 5 }, calls(['look', { what: 'other' }]), done('out of it')]);
  await api.ended(id);
  await api.ok('POST', `/v1/runs/${id}/resume`, {});
  expect(await api.runWith(id, 'completed', (r) => r.status === 'completed')).toMatchObject({
    output: { text: 'out of it' },
  });
});

test('a call that is refused in the same words again and again counts as well', async () => {
  const wrong = calls(['look', { wat: 1 }]);
  const id = await aRun('loop-wrong', [
    wrong,
    wrong,
    wrong,
    { ...wrong, ...told('look', 'time 3 that') },
    { ...wrong, times: 9 },
  ]);
  expect(await api.ended(id)).toMatchObject({ status: 'stopped', stopReason: 'loop', steps: 5 });
});

test('the same call with another result, or after a wait, is no loop', async () => {
  for (let i = 0; i < 6; i++) sink.answerNext('/look', 200, `{"progress":${i}}`);
  const changing = await aRun('loop-changing', [{ ...look, times: 6 }, done()]);
  expect(await api.ended(changing)).toMatchObject({ status: 'completed', steps: 7 });

  const wait = calls(['sleep_until', { for: '100ms' }]);
  const { tools } = sinkAgent('any', sink.url) as unknown as { tools: unknown[] };
  const more = { tools: [...tools, 'sleep_until'] };
  const polling = await aRun('loop-polling', [look, look, wait, look, look, wait, look, look, wait, done()], more);
  expect(await api.ended(polling)).toMatchObject({ status: 'completed', steps: 10 });
});

test('an agent may switch the guard off', async () => {
  const id = await aRun('loop-off', [{ ...look, times: 7 }, done()], { limits: { loopGuard: false } });
  expect(await api.ended(id)).toMatchObject({ status: 'completed', steps: 8 });
});
