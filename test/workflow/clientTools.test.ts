// Client tools: whoever started the run executes the call, and gives the result back over REST.
import type { ClientCall } from '../../contracts/clientCalls.js';
import { waitFor } from '../../embedded/processes.js';
import type { Service } from '../../embedded/services.js';
import {
  ApiCaller,
  type TestService,
  calls,
  done,
  openPolicy,
  scriptOf,
  startTestService,
} from '../support/service.js';

let service: TestService;
let api: ApiCaller;
let worker: Service;

beforeAll(async () => {
  service = await startTestService({ worker: false });
  worker = await service.startWorker();
  api = ApiCaller.of(service);
});
afterAll(() => service?.stop());

const input = {
  type: 'object',
  properties: { item: { type: 'string' } },
  required: ['item'],
  additionalProperties: false,
};

function agent(name: string, tool: Record<string, unknown> = {}, more: Record<string, unknown> = {}): { name: string } {
  const press = {
    name: 'press',
    description: 'Press a button on the desk of the caller.',
    input,
    client: true,
    ...tool,
  };
  return {
    name,
    model: `scripted/${name}`,
    instructions: 'You are a test.',
    policy: openPolicy,
    tools: [press],
    ...more,
  } as {
    name: string;
  };
}

async function aRun(
  name: string,
  turns: Parameters<typeof scriptOf>[1],
  definition: { name: string } = agent(name),
): Promise<string> {
  await service.model.putScript(scriptOf(name, turns));
  await api.putAgent(definition);
  return (await api.startRun(name)).id;
}

const press = (item: string) => calls(['press', { item }]);

const openCalls = async (id: string): Promise<ClientCall[]> =>
  (await api.ok<{ data: ClientCall[] }>('GET', `/v1/runs/${id}/client-calls`)).data;

async function waitingCalls(id: string, count = 1): Promise<ClientCall[]> {
  await api.waiting(id, 'client');
  return waitFor(`${count} client calls`, async () => {
    const open = await openCalls(id);
    return open.length === count ? open : undefined;
  });
}

const giveBack = (id: string, toolCallId: string, content: unknown, more: Record<string, unknown> = {}) =>
  api.call('POST', `/v1/runs/${id}/tool-results`, { toolCallId, content, ...more });

/** What the model was shown as the results of a step. */
async function resultsOf(id: string, step = 1): Promise<Record<string, unknown>[]> {
  const { toolCalls } = await api.ok<{ toolCalls: Record<string, unknown>[] }>('GET', `/v1/runs/${id}/steps/${step}`);
  return toolCalls;
}

const codeOf = (answer: { body: Record<string, unknown> }) => String(answer.body['type']).split('/').at(-1);

test('a run waits for its caller, who reads the call, executes it and returns the result', async () => {
  const id = await aRun('client-main', [press('red'), done('pressed')]);
  const [call] = await waitingCalls(id);
  expect(await api.run(id)).toMatchObject({ waiting: { for: 'client', toolCallIds: [call?.toolCallId] } });
  expect(call).toMatchObject({
    tool: 'press',
    effect: 'irreversible',
    step: 1,
    arguments: { item: 'red' },
    idempotencyKey: `${id}:${call?.toolCallId}`,
  });
  expect(await giveBack(id, call?.toolCallId ?? '', { pressed: 'red' })).toMatchObject({
    status: 200,
    body: { toolCallId: call?.toolCallId, outcome: 'succeeded' },
  });
  expect(await api.ended(id)).toMatchObject({ status: 'completed', usage: { toolCalls: 1 } });
  expect(await resultsOf(id)).toMatchObject([{ outcome: 'succeeded', isError: false }]);
  expect(JSON.stringify(await resultsOf(id))).toContain('pressed');
  const types = (await api.events(id)).filter((e) => /^(tool|client)/.test(e.type)).map((e) => e.type);
  expect(types).toEqual(['tool.decided', 'tool.started', 'client.requested', 'client.returned', 'tool.returned']);
});

test('the same result given again is answered as before; another one is refused and changes nothing', async () => {
  const id = await aRun('client-twice', [press('red'), done()]);
  const [call] = await waitingCalls(id);
  const toolCallId = call?.toolCallId ?? '';
  const both = await Promise.all([giveBack(id, toolCallId, 'first'), giveBack(id, toolCallId, 'first')]);
  expect(both.map((answer) => answer.status)).toEqual([200, 200]);
  await api.ended(id);
  expect((await giveBack(id, toolCallId, 'first')).status).toBe(200);
  const other = await giveBack(id, toolCallId, 'second');
  expect([other.status, codeOf(other)]).toEqual([409, 'already-returned']);
  expect((await giveBack(id, toolCallId, 'first', { isError: true })).status).toBe(409);
  expect((await api.events(id)).filter((e) => e.type === 'tool.returned')).toHaveLength(1);
  expect(JSON.stringify(await resultsOf(id))).toContain('first');
});

test('a failure that the caller reports is an error result for the model', async () => {
  const id = await aRun('client-failed', [press('red'), done('so be it')]);
  const [call] = await waitingCalls(id);
  await giveBack(id, call?.toolCallId ?? '', 'the button is stuck', { isError: true });
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
  expect(await resultsOf(id)).toMatchObject([{ outcome: 'failed', isError: true }]);
});

test('without a result in time the model is told: of a read that there is none, else that nobody knows', async () => {
  const id = await aRun('client-late', [press('red'), done()], agent('client-late', { timeout: '1s' }));
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
  expect(await resultsOf(id)).toMatchObject([{ outcome: 'unknown', isError: true }]);
  const [call] = (await api.events(id)).filter((e) => e.type === 'client.expired');
  const late = await giveBack(id, call?.toolCallId ?? '', 'too late');
  expect([late.status, codeOf(late)]).toEqual([409, 'already-returned']);

  const read = agent('client-late-read', { timeout: '1s', effect: 'read' });
  const other = await aRun('client-late-read', [press('red'), done()], read);
  await api.ended(other);
  expect(await resultsOf(other)).toMatchObject([{ outcome: 'failed', isError: true }]);
});

test('a call that a person has to approve is handed over after that, with what was approved', async () => {
  const definition = agent('client-asks', {}, { approve: [{ tool: 'press' }] });
  const id = await aRun('client-asks', [press('red'), done()], definition);
  const approval = await api.firstApproval(id);
  expect(await openCalls(id)).toEqual([]);
  await api.decide(approval, 'edit', { arguments: { item: 'green' } });
  const [call] = await waitingCalls(id);
  expect(call).toMatchObject({ arguments: { item: 'green' } });
  await giveBack(id, call?.toolCallId ?? '', 'ok');
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
});

test('several calls of one step wait together, and the inbox of people shows none of them', async () => {
  const id = await aRun('client-many', [calls(['press', { item: 'a' }], ['press', { item: 'b' }]), done()]);
  const open = await waitingCalls(id, 2);
  expect(await api.pendingApprovals(id)).toEqual([]);
  for (const { toolCallId } of open) expect((await giveBack(id, toolCallId, 'ok')).status).toBe(200);
  expect(await api.ended(id)).toMatchObject({ status: 'completed', usage: { toolCalls: 2 } });
});

test('a call survives the death of every worker, and the result is taken by the next one', async () => {
  const id = await aRun('client-crash', [press('red'), done()]);
  const [call] = await waitingCalls(id);
  await worker.kill();
  expect(await openCalls(id)).toMatchObject([{ toolCallId: call?.toolCallId }]);
  worker = await service.startWorker();
  await giveBack(id, call?.toolCallId ?? '', 'ok');
  expect(await api.ended(id)).toMatchObject({ status: 'completed', usage: { toolCalls: 1 } });
  expect((await api.events(id)).filter((e) => e.type === 'client.requested')).toHaveLength(1);
});

test('a cancelled run takes no result any more, and says that nobody knows whether the call happened', async () => {
  const id = await aRun('client-cancel', [press('red'), done()]);
  const [call] = await waitingCalls(id);
  await api.ok('POST', `/v1/runs/${id}/cancel`);
  expect(await api.ended(id)).toMatchObject({ status: 'cancelled', unknownCalls: [{ tool: 'press', asked: false }] });
  const late = await giveBack(id, call?.toolCallId ?? '', 'ok');
  expect([late.status, codeOf(late)]).toEqual([409, 'already-returned']);
});

test('bad results are refused with what is wrong', async () => {
  const id = await aRun('client-bad', [press('red'), done()]);
  const [call] = await waitingCalls(id);
  const missing = await api.call('POST', `/v1/runs/${id}/tool-results`, { toolCallId: call?.toolCallId });
  expect(missing).toMatchObject({ status: 400, body: { errors: [{ path: 'content' }] } });
  expect(await giveBack(id, 'toolu_nobody', 'x')).toMatchObject({ status: 404 });
  const viewer = await api.ok<{ key: string }>('POST', '/v1/keys', { name: 'v', roles: ['viewer'] });
  const forbidden = await new ApiCaller(service.apiUrl, viewer.key).call('POST', `/v1/runs/${id}/tool-results`, {
    toolCallId: call?.toolCallId,
    content: 'x',
  });
  expect(forbidden.status).toBe(403);
  await giveBack(id, call?.toolCallId ?? '', 'ok');
  await api.ended(id);
});

test('a client tool cannot be reconcilable, nor declare attempts', async () => {
  const wrong = await api.call('PUT', '/v1/agents/client-wrong', agent('client-wrong', { effect: 'reconcilable' }));
  expect(wrong).toMatchObject({ status: 400, body: { detail: expect.stringContaining('executed by the caller') } });
  const attempts = await api.call('PUT', '/v1/agents/client-wrong', agent('client-wrong', { attempts: 3 }));
  expect(attempts).toMatchObject({ status: 400, body: { detail: expect.stringContaining('unknown field attempts') } });
});
