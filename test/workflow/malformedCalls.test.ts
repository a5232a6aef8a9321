// A model that answers with calls nobody could mean: none is executed, each gets an error, and the good ones among them run.
// The long form is `npm run bench:safety`.
import { playMalformed } from '../../bench/safety/malformed/play.js';
import { ApiCaller, type TestService, startTestService } from '../support/service.js';
import { type Sink, startSink } from '../support/sink.js';

let service: TestService;
let sink: Sink;

beforeAll(async () => {
  [service, sink] = await Promise.all([startTestService(), startSink()]);
});
afterAll(async () => {
  await service?.stop();
  await sink?.close();
});

test('of 1,500 unknown, malformed, oversize, repeated and cut off calls none is executed, and the run goes on', async () => {
  const api = ApiCaller.of(service);
  const findings = await playMalformed(
    {
      ok: (method, at, body) => api.ok(method, at, body),
      ended: (id) => api.ended(id),
      model: service.model,
      sinkUrl: sink.url,
      arrived: () => sink.requests.map((request) => (request.arguments as { what: string }).what),
    },
    { count: 1500, seed: 1 },
  );
  expect(findings).toMatchObject({ executed: [], missed: [], withoutError: [] });
  expect(Math.min(...Object.values(findings.generated))).toBeGreaterThan(0);
  expect(service.log.filter((line) => /worker.*"level":60|worker.*(exited|killed)/.test(line))).toEqual([]);
});
