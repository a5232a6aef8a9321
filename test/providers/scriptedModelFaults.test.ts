// Every fault of the scripted model gives, through the real SDK, the error that the real API would.
import { APIError, APIUserAbortError, AnthropicError } from '@anthropic-ai/sdk';
import type { ScriptInput } from '../../embedded/scriptedModel/client.js';
import { type Bench, aScriptedModel, answer, asking, failure, script } from './support.js';

let bench: Bench;
let count = 0;

beforeAll(async () => {
  bench = await aScriptedModel();
});
afterAll(() => bench.server.close());

type Single = Extract<ScriptInput['turns'][number], { reply?: unknown }>;
type Fault = NonNullable<Single['fault']>;

const LONG = 'a text that is long enough for several pieces, whatever their size may be';
const reply: Single['reply'] = [{ text: LONG }, { tool: 'look', input: { what: LONG } }];

async function aFault(fault: Fault, more: Single = {}): Promise<string> {
  const name = `fault-${count++}`;
  await bench.control.putScript(script(name, [{ reply, ...more, fault }]));
  return name;
}

const failed = async (fault: Fault) => {
  const name = await aFault(fault);
  const error = await failure(answer(bench, asking(name)));
  const [entry] = await bench.control.journal(name);
  expect(entry).toMatchObject({ status: 'faulted' });
  return error;
};

test.each([
  [400, 'invalid_request_error'],
  [401, 'authentication_error'],
  [402, 'billing_error'],
  [403, 'permission_error'],
  [404, 'not_found_error'],
  [413, 'request_too_large'],
  [429, 'rate_limit_error'],
  [500, 'api_error'],
  [529, 'overloaded_error'],
])('status %i is an APIError of type %s', async (status, type) => {
  const error = await failed({ kind: 'status', status, message: 'not now' });
  expect(error).toBeInstanceOf(APIError);
  expect(error).toMatchObject({ status, type, errorCode: null, requestID: expect.stringMatching(/^req_/) });
  expect(error['message']).toContain('not now');
});

test('a rate limit carries its delay, its hint and its headers', async () => {
  const headers = { 'anthropic-ratelimit-requests-remaining': '0' };
  const error = await failed({ kind: 'status', status: 429, retryAfter: 7, shouldRetry: false, headers });
  const got = error['headers'] as Headers;
  expect(got.get('retry-after')).toBe('7');
  expect(got.get('x-should-retry')).toBe('false');
  expect(got.get('anthropic-ratelimit-requests-remaining')).toBe('0');
});

test('a spend limit is told apart by its code only', async () => {
  const error = await failed({ kind: 'status', status: 429, code: 'enforced_spend_limit_reached' });
  expect(error).toMatchObject({ status: 429, type: 'rate_limit_error', errorCode: 'enforced_spend_limit_reached' });
});

test('an error event after 200 is an APIError without a status', async () => {
  const error = await failed({ kind: 'errorEvent' });
  expect(error).toBeInstanceOf(APIError);
  expect(error).toMatchObject({ status: undefined, type: 'overloaded_error' });
});

test.each([0, 1, 4, 'toolInput', 10_000] as const)(
  'a socket cut after %p events is terminated, and no APIError',
  async (afterEvents) => {
    const error = await failed({ kind: 'cut', afterEvents });
    expect(error).toBeInstanceOf(AnthropicError);
    expect(error).not.toBeInstanceOf(APIError);
    expect(error['message']).toMatch(/terminated$/);
  },
);

test('a stream cut inside of a tool call has shown the beginning of its input', async () => {
  const stream = bench.client.beta.messages.stream(asking(await aFault({ kind: 'cut', afterEvents: 'toolInput' })));
  const pieces: string[] = [];
  stream.on('inputJson', (piece) => pieces.push(piece));
  await failure(stream.finalMessage());
  expect(pieces).toEqual(['{"what":"a text that is ']);
});

test('a stream without its end produced no message', async () => {
  const error = await failed({ kind: 'noStop' });
  expect(error).not.toBeInstanceOf(APIError);
  expect(error['message']).toMatch(/^stream ended without producing a Message/);
});

test('garbage in the stream is an AnthropicError with a SyntaxError inside', async () => {
  const error = await failed({ kind: 'garbage' });
  expect(error).not.toBeInstanceOf(APIError);
  expect(error['cause']).toMatchObject({ name: 'SyntaxError' });
});

test('tool input that is no JSON fails the stream', async () => {
  const error = await failed({ kind: 'badJson' });
  expect(error).toBeInstanceOf(AnthropicError);
  expect(error).not.toBeInstanceOf(APIError);
  expect(error['message']).toMatch(/Unable to parse tool parameter JSON/);
});

test('a stalled stream says nothing until the client gives up', async () => {
  const name = await aFault({ kind: 'stall', afterEvents: 2 });
  const controller = new AbortController();
  const stream = bench.client.beta.messages.stream(asking(name), { signal: controller.signal });
  stream.on('streamEvent', (event) => {
    if (event.type === 'content_block_start') controller.abort();
  });
  expect(await failure(stream.finalMessage())).toBeInstanceOf(APIUserAbortError);
  expect(stream.response?.status).toBe(200);
});

test('a stalled stream can have sent no more than its headers', async () => {
  const name = await aFault({ kind: 'stall', afterEvents: 0 });
  const controller = new AbortController();
  const stream = bench.client.beta.messages.stream(asking(name), { signal: controller.signal });
  stream.on('connect', () => controller.abort());
  expect(await failure(stream.finalMessage())).toBeInstanceOf(APIUserAbortError);
});

test('a stall with an end goes on to the whole reply', async () => {
  const name = await aFault({ kind: 'stall', forMs: 20 });
  expect((await answer(bench, asking(name))).content).toHaveLength(2);
});

test('a fault happens as often as it says, then the turn is answered', async () => {
  const name = await aFault({ kind: 'cut', times: 2 });
  await failure(answer(bench, asking(name)));
  await failure(answer(bench, asking(name)));
  expect((await answer(bench, asking(name))).stop_reason).toBe('tool_use');
  expect((await answer(bench, asking(name))).stop_reason).toBe('tool_use');
  expect((await bench.control.bill(name)).unfinished).toBe(2);
});

test('a fault of one conversation leaves another its own', async () => {
  const name = await aFault({ kind: 'status' });
  const other = asking(name, { messages: [{ role: 'user', content: 'another' }] });
  expect(await failure(answer(bench, asking(name)))).toMatchObject({ status: 529 });
  expect(await failure(answer(bench, other))).toMatchObject({ status: 529 });
  expect((await answer(bench, asking(name))).id).not.toBe((await answer(bench, other)).id);
});

test('a fault that happens always never gives way', async () => {
  const name = await aFault({ kind: 'status', times: 'always' });
  for (let i = 0; i < 5; i++) expect(await failure(answer(bench, asking(name)))).toMatchObject({ status: 529 });
});

test('a script that is put again breaks again', async () => {
  const turns = [{ reply, fault: { kind: 'status' as const } }];
  await bench.control.putScript(script('again', turns));
  expect(await failure(answer(bench, asking('again')))).toMatchObject({ status: 529 });
  await answer(bench, asking('again'));
  await bench.control.putScript(script('again', turns));
  expect(await failure(answer(bench, asking('again')))).toMatchObject({ status: 529 });
});

test.each(['cut', 'noStop', 'garbage', 'badJson', 'errorEvent'] as const)(
  'a reply asked for in one piece fails with %s as well',
  async (kind) => {
    const name = await aFault({ kind });
    await failure(bench.client.beta.messages.create({ ...asking(name), stream: false }));
    expect(await bench.control.journal(name)).toMatchObject([{ status: 'faulted', detail: kind }]);
    await bench.client.beta.messages.create({ ...asking(name), stream: false });
  },
);
