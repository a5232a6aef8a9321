// Streams that break, through the product's own provider: never half a reply for a whole one, and what was billed is known.
import type { Usage } from '../../contracts/conversation.js';
import { createAnthropicProvider } from '../../providers/anthropic.js';
import { ModelFailure, type ModelReply } from '../../providers/modelProvider.js';
import { type Bench, aScriptedModel, script } from './support.js';

let bench: Bench;
let count = 0;

beforeAll(async () => {
  bench = await aScriptedModel();
});
afterAll(() => bench.server.close());

type Fault = Record<string, unknown>;

const REPLY = [{ text: 'Größe: 5 €' }, { tool: 'look', input: { what: 'x' } }];

async function aModel(fault?: Fault): Promise<string> {
  const name = `broken-${count++}`;
  await bench.control.putScript(script(name, [{ reply: REPLY, ...(fault ? { fault: fault as never } : {}) }]));
  return name;
}

const silent = (): void => undefined;

interface Ended {
  reply?: ModelReply;
  failure?: ModelFailure;
  /** As it was when the reply began. */
  begun?: Usage;
}

async function call(name: string, stallMs?: number): Promise<Ended> {
  const provider = createAnthropicProvider({
    apiKey: 'any',
    baseUrl: bench.server.url,
    log: { debug: silent, info: silent, warn: silent, error: silent },
    ...(stallMs === undefined ? {} : { stallMs }),
  });
  const request = {
    model: `scripted/${name}`,
    max_tokens: 100,
    messages: [{ role: 'user', content: [{ type: 'text', text: 'go' }] }],
  };
  const ended: Ended = {};
  const onStart = (usage: Usage): void => void (ended.begun = usage);
  try {
    ended.reply = await provider.call(Buffer.from(JSON.stringify({ ...request, stream: true })), {
      signal: new AbortController().signal,
      onStart,
    });
  } catch (err) {
    if (!(err instanceof ModelFailure)) throw err;
    ended.failure = err;
  }
  return ended;
}

/** What the model's own books say of a call. */
async function billOf(name: string): Promise<Usage> {
  const { usage } = await bench.control.bill(name);
  return {
    inputTokens: usage.input_tokens,
    outputTokens: usage.output_tokens,
    cacheReadTokens: usage.cache_read_input_tokens,
    cacheWriteTokens: usage.cache_creation_input_tokens,
  };
}

async function bytesOfStream(name: string): Promise<number> {
  const response = await fetch(`${bench.server.url}/v1/messages`, {
    method: 'POST',
    headers: { authorization: 'Bearer any', 'anthropic-version': '2026-10-21' },
    body: JSON.stringify({
      model: `scripted/${name}`,
      max_tokens: 100,
      stream: true,
      messages: [{ role: 'user', content: 'go' }],
    }),
  });
  return (await response.arrayBuffer()).byteLength;
}

test('a stream cut at any byte is a failure that is tried again, and its bill is known from the first event on', async () => {
  const whole = await bytesOfStream(await aModel());
  const lanes = Array.from({ length: 8 }, (_, lane) => lane);
  const seen = { unbegun: 0, begun: 0 };
  const cutAt = async (afterBytes: number): Promise<void> => {
    const name = await aModel({ kind: 'cut', afterBytes });
    const { reply, failure, begun } = await call(name);
    const where = `cut after ${afterBytes} of ${whole} bytes`;
    expect({ where, reply, retry: failure?.options.retry }).toEqual({ where, reply: undefined, retry: 'soon' });
    expect(failure?.options.usage === undefined).toBe(begun === undefined);
    seen[begun ? 'begun' : 'unbegun'] += 1;
    // What the client cannot have heard of, it cannot know.
    const billed = begun ? await billOf(name) : undefined;
    expect({ where, usage: failure?.options.usage }).toEqual({ where, usage: billed });
  };
  await Promise.all(
    lanes.map(async (lane) => {
      for (let at = lane; at < whole; at += lanes.length) await cutAt(at);
    }),
  );
  expect(seen.begun + seen.unbegun).toBe(whole);
  expect(seen.begun).toBeGreaterThan(seen.unbegun);
}, 180_000);

test('a stream that is whole is the reply, cost and all', async () => {
  const name = await aModel();
  const { reply, failure } = await call(name);
  expect(failure).toBeUndefined();
  expect(reply).toMatchObject({ stopReason: 'tool_use', usage: await billOf(name) });
});

test.each([
  ['a stream that stalls', { kind: 'stall', afterEvents: 4 }, 'ModelUnreachable'],
  ['a stream without its end', { kind: 'noStop' }, 'ModelUnreachable'],
  ['garbage in the stream', { kind: 'garbage', afterEvents: 4 }, 'ModelReplyBroken'],
  ['an error event in the stream', { kind: 'errorEvent', afterEvents: 4 }, 'ModelOverloaded'],
])('%s is a failure with its bill', async (_, fault, type) => {
  const name = await aModel(fault);
  const { reply, failure } = await call(name, 1000);
  expect(reply).toBeUndefined();
  expect(failure).toMatchObject({ type, options: { retry: 'soon', usage: await billOf(name) } });
});

test('arguments that are no JSON stay what they are, and the reply around them is kept', async () => {
  const name = await aModel({ kind: 'badJson' });
  const { reply, failure } = await call(name);
  expect(failure).toBeUndefined();
  expect(reply).toMatchObject({ stopReason: 'tool_use', usage: await billOf(name) });
  expect(typeof reply?.content.find((block) => block.type === 'tool_use')?.['input']).toBe('string');
});

test('a stream that stalls before its first event costs nothing that is known, and does not wait for ever', async () => {
  const { failure, begun } = await call(await aModel({ kind: 'stall', afterEvents: 0 }), 1000);
  expect(begun).toBeUndefined();
  expect(failure).toMatchObject({ type: 'ModelUnreachable', options: { retry: 'soon' } });
});

test('a silence that is shorter than the longest allowed is waited out', async () => {
  const { reply } = await call(await aModel({ kind: 'stall', afterEvents: 4, forMs: 50 }), 20_000);
  expect(reply?.content).toHaveLength(2);
});
