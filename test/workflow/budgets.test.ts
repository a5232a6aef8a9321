// Budgets over many runs, and rates: a run that has used one up waits, and goes on when there is room again.
import { runCli } from '../../cli/main.js';
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

async function anAgent(name: string, turns: Parameters<typeof scriptOf>[1], more = {}): Promise<void> {
  await service.model.putScript(scriptOf(name, turns));
  await api.putAgent(sinkAgent(name, sink.url, more));
}

interface Account {
  used: { costUsd: string; tokens: number; steps: number; toolCalls: number };
  reserved: { costUsd: string; tokens: number; steps: number };
}
const budget = (at: string) => api.ok<Account>('GET', `/v1/budgets/${at}`);

async function cli(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  const said = { out: '', err: '' };
  const code = await runCli(words, {
    out: (text: string) => void (said.out += text),
    err: (text: string) => void (said.err += text),
    isTerminal: false,
    columns: () => 120,
    env: { LONGHAUL_URL: service.apiUrl, LONGHAUL_API_KEY: service.adminKey },
  } as unknown as Parameters<typeof runCli>[1]);
  return { code, ...said };
}

test('a run whose agent has used up its steps waits, says for what and until when, and goes on after a top-up', async () => {
  const turns = [calls(['look', { what: 'a' }]), calls(['look', { what: 'b' }]), done('finished')];
  await anAgent('steps', turns);
  expect(await cli('budget', 'put', 'agent', 'steps', 'day', '--steps', '2')).toMatchObject({ code: 0, err: '' });
  const { id } = await api.startRun('steps');
  const { waiting } = await api.waiting(id, 'budget');
  expect(waiting).toMatchObject({
    budget: 'agent/steps/day',
    until: expect.stringMatching(/T00:00:00.000Z$/),
    reason: expect.stringContaining('longhaul budget topup agent steps day'),
  });
  expect(await service.model.journal('steps')).toHaveLength(2);

  const { code, out } = await cli('budget', 'topup', 'agent', 'steps', 'day', '--steps', '5');
  expect([code, out]).toEqual([0, expect.stringContaining('steps 2 of 2 + 5')]);
  expect(await api.ended(id)).toMatchObject({ status: 'completed', steps: 3 });
  expect(await budget('agent/steps/day')).toMatchObject({ used: { steps: 3 }, reserved: { steps: 0, tokens: 0 } });
  const types = (await api.events(id)).map((event) => event.type);
  expect(types.filter((type) => type === 'limit.reached' || type === 'run.waiting')).toEqual([
    'limit.reached',
    'run.waiting',
  ]);
});

test('what a run costs is charged to the tenant to the nano-dollar, and what was reserved goes back', async () => {
  await anAgent('money', [calls(['charge', { what: 'a' }]), done()]);
  await api.ok('PUT', '/v1/budgets/agent/money/total', { maxCostUsd: '100', maxTokens: 9_000_000, maxToolCalls: 5 });
  const { id } = await api.startRun('money');
  const { costUsd, usage } = await api.ended(id);
  const account = await budget('agent/money/total');
  const tokens = usage.inputTokens + usage.outputTokens + (usage.cacheReadTokens ?? 0) + (usage.cacheWriteTokens ?? 0);
  expect(account.used).toEqual({ costUsd, tokens, steps: 2, toolCalls: 1 });
  expect(account.reserved).toMatchObject({ tokens: 0, steps: 0 });
  expect(Number(account.reserved.costUsd)).toBe(0);
});

test('a tool that is used up is not called; its approval is not spent; the call is made after a higher limit', async () => {
  await anAgent('tools', [calls(['charge', { what: 'a' }]), calls(['charge', { what: 'b' }]), done()], {
    approve: [{ tool: 'charge' }],
  });
  await api.ok('PUT', '/v1/budgets/tool/charge/month', { maxToolCalls: 1 });
  const { id } = await api.startRun('tools');
  await api.decide(await api.firstApproval(id), 'approve');
  const second = await api.runWith(id, 'asking again', (r) => r.waiting?.for === 'approval' && r.steps === 2);
  expect(second.status).toBe('waiting');
  await api.decide(await api.firstApproval(id), 'approve');
  expect((await api.waiting(id, 'budget')).waiting).toMatchObject({ budget: 'tool/charge/month' });
  expect(requestsOf(id)).toHaveLength(1);
  await api.ok('PUT', '/v1/budgets/tool/charge/month', { maxToolCalls: 2 });
  expect(await api.ended(id)).toMatchObject({ status: 'completed', steps: 3 });
  expect(requestsOf(id)).toHaveLength(2);
  await api.ok('DELETE', '/v1/budgets/tool/charge/month');
});

test('the runs of a tree share the limits of its root', async () => {
  await anAgent('tree', [calls(['look', { what: 'a' }]), calls(['look', { what: 'b' }]), done()]);
  const root = await api.startRun('tree', 'go', { limits: { maxSteps: 4 } });
  expect(await api.ended(root.id)).toMatchObject({ steps: 3 });
  const child = await api.startRun('tree', 'go', { parentRunId: root.id });
  expect((await api.waiting(child.id, 'budget')).waiting).toMatchObject({
    budget: `run/${root.id}/total`,
    reason: expect.stringContaining(`longhaul budget topup run ${root.id}`),
  });
  expect((await api.run(child.id)).steps).toBe(1);
  expect(await cli('budget', 'topup', 'run', root.id, '--steps', '2')).toMatchObject({ code: 0 });
  expect(await api.ended(child.id)).toMatchObject({ status: 'completed', steps: 3 });
});

test('calls beyond a declared rate wait for their turn, and a run that waits can be cancelled', async () => {
  const agent = sinkAgent('rated', sink.url) as unknown as { tools: Record<string, unknown>[] };
  const tools = agent.tools.map((t) => (t['name'] === 'look' ? { ...t, rate: { rate: '1/h', burst: 2 } } : t));
  await anAgent('rated', [calls(...[1, 2, 3].map((n): [string, Record<string, unknown>] => ['look', { what: `${n}` }])), done()], { tools }); // prettier-ignore
  const { id } = await api.startRun('rated');
  expect((await api.waiting(id, 'budget')).waiting).toMatchObject({
    budget: 'tool/rated/look',
    reason: 'the rate of tool/rated/look is 1/h',
  });
  expect(requestsOf(id)).toHaveLength(2);
  await api.ok('POST', `/v1/runs/${id}/cancel`);
  expect(await api.ended(id)).toMatchObject({ status: 'cancelled' });
});

test('model calls beyond an operator’s rate wait, and go on when the rate is raised', async () => {
  await anAgent('slow', [calls(['look', { what: 'a' }]), done()]);
  expect(await cli('rate', 'put', 'model', 'scripted/slow', '1/d')).toMatchObject({ code: 0, err: '' });
  const { id } = await api.startRun('slow');
  expect((await api.waiting(id, 'budget')).waiting).toMatchObject({ budget: 'model/scripted/slow' });
  expect(await service.model.journal('slow')).toHaveLength(1);
  expect(await cli('rate', 'delete', 'model', 'scripted/slow')).toMatchObject({ code: 0 });
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
});

test('a run that waits for a budget can be paused and resumed', async () => {
  await anAgent('paused', [done()]);
  await api.ok('PUT', '/v1/budgets/agent/paused/total', { maxSteps: 0 });
  const { id } = await api.startRun('paused');
  await api.waiting(id, 'budget');
  await api.ok('POST', `/v1/runs/${id}/pause`);
  await api.runWith(id, 'paused', (r) => r.status === 'paused');
  await api.ok('POST', `/v1/budgets/agent/paused/total/top-up`, { steps: 1 });
  await api.ok('POST', `/v1/runs/${id}/resume`);
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
});

test.each([
  ['/v1/budgets/agent/x/day', {}, 'give at least one of maxCostUsd'],
  ['/v1/budgets/agent/x/week', { maxSteps: 1 }, 'period'],
  ['/v1/budgets/tenant/me/day', { maxSteps: 1 }, 'tenant/all'],
  ['/v1/budgets/tool/look/day', { maxSteps: 1 }, 'only maxToolCalls'],
  ['/v1/budgets/run/run_x/total', { maxSteps: 1 }, 'top-up'],
  ['/v1/budgets/agent/x/day', { maxCostUsd: 'much' }, 'maxCostUsd'],
  ['/v1/rates/tool/look', { rate: '5 per second' }, '5/s'],
  ['/v1/rates/tenant/me', { rate: '5/s' }, 'tenant/all'],
])('PUT %s with %j is refused, and the refusal names the remedy', async (at, body, said) => {
  const answer = await api.call('PUT', at, body);
  expect(answer.status).toBe(400);
  expect(JSON.stringify(answer.body)).toContain(said);
});

test('a top-up of a budget that does not exist says so', async () => {
  const answer = await api.call('POST', '/v1/budgets/agent/nobody/day/top-up', { steps: 1 });
  expect([answer.status, answer.body['detail']]).toEqual([404, expect.stringContaining('agent/nobody/day')]);
});
