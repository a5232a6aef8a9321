// Approvals as a contract: what an answer covers, who may give it, how it comes, and that it is used once.
import type { Approval } from '../../contracts/approvals.js';
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

const charge = (what: string) => calls(['charge', { what }]);
const requestsOf = (id: string) => sink.requests.filter((e) => e.key.startsWith(id));

async function aRun(
  name: string,
  turns: Parameters<typeof scriptOf>[1],
  more: Record<string, unknown> = { approve: [{ tool: 'charge' }] },
): Promise<string> {
  await service.model.putScript(scriptOf(name, turns));
  await api.putAgent(sinkAgent(name, sink.url, more));
  return (await api.startRun(name)).id;
}

/** The question about the call with this argument. */
const asked = (id: string, what: string): Promise<Approval> =>
  api
    .runWith(id, `asking about ${what}`, (run) => run.waiting?.for === 'approval')
    .then(async () => {
      const found = (await api.pendingApprovals(id)).find((a) => (a.arguments as { what?: string }).what === what);
      return found ?? asked(id, what);
    });

describe('an approval for the run', () => {
  test('covers later calls of the same tool that the same rule asks about, and the log names it', async () => {
    const rules = [{ tool: 'charge', when: 'arguments.what.startsWith("a")' }, { tool: 'charge' }];
    const id = await aRun('scope-run', [charge('a1'), charge('a2'), charge('b'), done()], { approve: rules });
    const first = await asked(id, 'a1');
    await api.decide(first, 'approve', { scope: 'run' });
    // a2 falls under the rule that was answered and runs; b under another one, and is asked about.
    const other = await asked(id, 'b');
    expect(requestsOf(id).map((r) => r.arguments)).toEqual([{ what: 'a1' }, { what: 'a2' }]);
    await api.decide(other, 'approve');
    expect(await api.ended(id)).toMatchObject({ status: 'completed', usage: { toolCalls: 3 } });
    const decided = (await api.events(id)).filter((e) => e.type === 'tool.decided').map((e) => e.data);
    expect(decided).toMatchObject([
      { verdict: 'ask', rule: 'approve[0]' },
      { verdict: 'execute', rule: 'approve[0]', coveredBy: first.id },
      { verdict: 'ask', rule: 'approve[1]' },
    ]);
  });

  test('does not reach into another run', async () => {
    const turns = [charge('a1'), done()];
    const first = await aRun('scope-one', turns);
    await api.decide(await asked(first, 'a1'), 'approve', { scope: 'run' });
    await api.ended(first);
    const second = (await api.startRun('scope-one')).id;
    expect(await asked(second, 'a1')).toMatchObject({ status: 'pending' });
    await api.ok('POST', `/v1/runs/${second}/cancel`);
  });
});

test('one and the same call is asked about twice; refused twice, it is refused without asking', async () => {
  const id = await aRun('insists', [charge('x'), charge('x'), charge('x'), charge('y'), done('gave up')]);
  for (let i = 0; i < 2; i++) await api.decide(await asked(id, 'x'), 'reject', { message: 'no' });
  await api.decide(await asked(id, 'y'), 'reject');
  expect(await api.ended(id)).toMatchObject({ output: { text: 'gave up' } });
  expect(requestsOf(id)).toEqual([]);
  const decided = (await api.events(id)).filter((e) => e.type === 'tool.decided').map((e) => e.data['rule']);
  expect(decided).toEqual(['approve[0]', 'approve[0]', 'refused-before', 'approve[0]']);
});
