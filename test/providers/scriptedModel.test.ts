// The scripted model over HTTP, through the real SDK: turns, conditions, holds, journal, bill, thinking, cache.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { APIUserAbortError } from '@anthropic-ai/sdk';
import { type Bench, type Params, aScriptedModel, answer, asking, conversation, failure, script } from './support.js';

let bench: Bench;

beforeAll(async () => {
  bench = await aScriptedModel();
});
afterAll(() => bench.server.close());

const look = { tool: 'look', input: { what: 'at ${turn}' } };
const textOf = (content: readonly { type: string; text?: string }[] | string): string =>
  typeof content === 'string' ? content : content.map((b) => b.text ?? '').join('');

describe('turns', () => {
  test('the turn is the number of replies that the request shows', async () => {
    await bench.control.putScript(
      script('walk', [{ reply: [look] }, { reply: [look] }, { reply: [{ text: 'done' }] }]),
    );
    const messages = await conversation(bench, 'scripted/walk');
    expect(messages.map((m) => m.role)).toEqual(['user', 'assistant', 'user', 'assistant', 'user', 'assistant']);
    expect(messages[3]?.content).toMatchObject([{ name: 'look', input: { what: 'at 1' } }]);
  });

  test('the same request gets the same reply, ids included, however often and in whatever order', async () => {
    await bench.control.putScript(script('same', [{ reply: [{ thinking: 'hm' }, look, look] }, { reply: [look] }]));
    const later = asking('same', { messages: (await conversation(bench, 'same')).slice(0, 3) });
    const first = asking('same');
    const replies = [];
    for (const params of [first, later, first]) replies.push(await answer(bench, params));
    expect({ ...replies[2], usage: null }).toEqual({ ...replies[0], usage: null });
    expect(replies[1]?.id).not.toBe(replies[0]?.id);
    const ids = replies[0]?.content.flatMap((b) => (b.type === 'tool_use' ? [b.id] : []));
    expect(new Set(ids).size).toBe(2);
  });

  test('streamed and in one piece it is the same message', async () => {
    const reply = [{ thinking: 'first 🧵 think' }, { text: 'ü🧵'.repeat(40) }, { text: '' }, look, { tool: 'list' }];
    await bench.control.putScript(script('both', [{ reply, chunkChars: 7 }]));
    const whole = await bench.client.beta.messages.create({ ...asking('both'), stream: false });
    const { parsed_output: _, ...streamed } = (await answer(bench, asking('both'))) as unknown as Record<
      string,
      unknown
    >;
    const { _request_id, ...plain } = whole as unknown as Record<string, unknown>;
    expect(JSON.parse(JSON.stringify(streamed))).toEqual(JSON.parse(JSON.stringify(plain)));
  });

  test('a piece of a stream never ends in the middle of a character', async () => {
    await bench.control.putScript(script('pieces', [{ reply: [{ text: '🧵'.repeat(9) }], chunkChars: 1 }]));
    const pieces: string[] = [];
    const stream = bench.client.beta.messages.stream(asking('pieces'));
    stream.on('text', (piece) => pieces.push(piece));
    await stream.finalMessage();
    expect(pieces).toEqual(Array.from({ length: 9 }, () => '🧵'));
  });

  test('a group of turns repeats, so that a long run needs a short file', async () => {
    const turns = [
      { turns: [{ reply: [look] }, { reply: [{ tool: 'write' }] }], times: 20 },
      { reply: [{ text: 'end' }] },
    ];
    await bench.control.putScript(script('long', turns));
    const messages = await conversation(bench, 'long');
    expect(messages).toHaveLength(1 + 40 * 2 + 1);
    expect(textOf(messages.at(-1)?.content as never)).toBe('end');
  });

  test('a script that is over says so and ends', async () => {
    await bench.control.putScript(script('over', []));
    const reply = await answer(bench, asking('over'));
    expect(reply).toMatchObject({ stop_reason: 'end_turn', content: [{ text: expect.stringContaining('no turn 0') }] });
  });

  test('the first case whose condition holds is the answer', async () => {
    const cases = [
      { when: { toolResult: { tool: 'look', contains: '/^red/', isError: false } }, reply: [{ text: 'it is red' }] },
      { when: { lastUserContains: 'blue' }, reply: [{ text: 'it is blue' }] },
      { reply: [{ text: 'I do not know' }] },
    ];
    await bench.control.putScript(script('cases', [{ reply: [look] }, { cases }]));
    const last = async (result: string): Promise<string> =>
      textOf((await conversation(bench, 'cases', () => result)).at(-1)?.content as never);
    expect([await last('red car'), await last('a blue one'), await last('infrared')]).toEqual([
      'it is red',
      'it is blue',
      'I do not know',
    ]);
  });

  test('what was sent can be quoted, whole values with their type', async () => {
    const turns = [
      { reply: [{ tool: 'find', input: { who: '${input}' } }] },
      { reply: [{ tool: 'pay', input: { amount: '${results.find.sum}', note: 'for ${results.find.names.0}' } }] },
      { reply: [{ text: '${results.find.names} ${lastUserText} ${results.find.nothing} ${results.find}' }] },
    ];
    await bench.control.putScript(script('quote', turns));
    const result = (tool: string): string => (tool === 'find' ? '{"sum": 12.5, "names": ["Ann"]}' : 'paid');
    const messages = await conversation(bench, 'quote', result);
    expect(messages[1]?.content).toMatchObject([{ input: { who: 'go' } }]);
    expect(messages[3]?.content).toMatchObject([{ input: { amount: 12.5, note: 'for Ann' } }]);
    expect(textOf(messages[5]?.content as never)).toBe(
      '["Ann"] paid ${results.find.nothing} {"sum": 12.5, "names": ["Ann"]}',
    );
  });

  test('an expectation that fails is a 400 that says what was not shown, and is in the journal', async () => {
    await bench.control.putScript(script('expects', [{ expect: { systemContains: 'be kind' }, reply: [] }]));
    const error = await failure(answer(bench, asking('expects', { system: 'be quick' })));
    expect(error).toMatchObject({ status: 400, type: 'invalid_request_error' });
    expect(error['message']).toContain('the system prompt does not contain be kind');
    expect(await bench.control.journal('expects')).toMatchObject([{ status: 'refused', turn: 0 }]);
    await answer(bench, asking('expects', { system: 'be kind' }));
  });

  test('a raw block, stop reason and usage are sent as they are', async () => {
    const block = { type: 'tool_use', id: 'same', name: 'no such tool!', input: { half: true } };
    const usage = { inputTokens: 1, outputTokens: 2, cacheReadTokens: 3, cacheWriteTokens: 4 };
    await bench.control.putScript(script('raw', [{ reply: [{ block }, { block }], stopReason: 'max_tokens', usage }]));
    const reply = await answer(bench, asking('raw'));
    expect(JSON.parse(JSON.stringify(reply.content))).toEqual([block, block]);
    expect(reply.stop_reason).toBe('max_tokens');
    expect(reply.usage).toMatchObject({
      input_tokens: 1,
      output_tokens: 2,
      cache_read_input_tokens: 3,
      cache_creation_input_tokens: 4,
    });
  });
});

describe('thinking', () => {
  const spoken = async (): Promise<Params['messages']> => {
    await bench.control.putScript(
      script('thinker', [
        { reply: [{ thinking: 'I look' }, { text: 'looking' }, { thinking: 'now' }, look] },
        { reply: [{ thinking: 'I know' }, { text: 'it is so' }] },
      ]),
    );
    return conversation(bench, 'thinker', undefined, { system: 'be kind' });
  };
  const goOn = async (change: (params: Params) => void): Promise<unknown> => {
    const messages = structuredClone(await spoken());
    const params = asking('thinker', { system: 'be kind', messages: [...messages, { role: 'user', content: 'and?' }] });
    change(params);
    return answer(bench, params).then(
      () => 'answered',
      (err: { status?: number; message: string }) => `${err.status} ${/Invalid `signature`/.exec(err.message)?.[0]}`,
    );
  };
  const edit = (params: Params, message: number, block: number, fields: Record<string, unknown>): void => {
    const content = params.messages[message]?.content as unknown as object[];
    Object.assign(content[block] as object, fields);
  };
  const refused = '400 Invalid `signature`';

  test('comes back verbatim and is taken', async () => {
    expect(await goOn(() => undefined)).toBe('answered');
  });

  test('is taken when only marks for the cache have moved', async () => {
    const mark = (params: Params): void => {
      params.messages[0] = {
        role: 'user',
        content: [{ type: 'text', text: 'go', cache_control: { type: 'ephemeral' } }],
      };
      params.system = [{ type: 'text', text: 'be kind', cache_control: { type: 'ephemeral' } }];
    };
    expect(await goOn(mark)).toBe('answered');
  });

  test.each<[string, (params: Params) => void]>([
    ['the instructions', (p) => void (p.system = 'be unkind')],
    ['the tools', (p) => void (p.tools = [{ name: 'look', input_schema: { type: 'object' } }])],
    ['the first message', (p) => void (p.messages[0] = { role: 'user', content: 'Go' })],
    ['its text', (p) => edit(p, 1, 0, { thinking: 'I looked' })],
    ['a text before it', (p) => edit(p, 1, 1, { text: 'edited' })],
    ['a tool result before it', (p) => edit(p, 2, 0, { content: 'no' })],
  ])('is refused when %s changed', async (_, change) => {
    expect(await goOn(change)).toBe(refused);
  });
});

describe('holds', () => {
  test.each(['before', 'afterFirstDelta', 'beforeStop'] as const)(
    'a request waits %s until it is released',
    async (at) => {
      await bench.control.putScript(script(`held-${at}`, [{ reply: [{ text: 'a' }], hold: { at, name: at } }]));
      let answered = false;
      const stream = bench.client.beta.messages.stream(asking(`held-${at}`));
      const reply = stream.finalMessage().then(() => (answered = true));
      await bench.control.waitForHold(at);
      expect(answered).toBe(false);
      expect(stream.currentMessage !== undefined).toBe(at !== 'before');
      expect((await bench.control.bill(`held-${at}`)).calls).toBe(0);
      expect(await bench.control.release(at)).toBe(1);
      await reply;
      expect((await bench.control.bill(`held-${at}`)).calls).toBe(1);
    },
  );

  test('a rule from outside serves once, and a hold that was left is no hold', async () => {
    await bench.control.putScript(script('ruled', [{ reply: [{ text: 'a' }] }]));
    const rule = { name: 'rule of one / two', script: 'ruled', turn: 0 };
    await bench.control.holdAt(rule);
    const controller = new AbortController();
    const held = bench.client.beta.messages.stream(asking('ruled'), { signal: controller.signal }).finalMessage();
    await bench.control.waitForHold(rule.name);
    controller.abort();
    expect(await failure(held)).toBeInstanceOf(APIUserAbortError);
    await answer(bench, asking('ruled')); // not held
    await expect(bench.control.waitForHold(rule.name, 0)).rejects.toThrow('no request arrived');
    await settled('ruled');
    expect((await bench.control.journal('ruled')).map((e) => e.status)).toEqual(['aborted', 'answered']);
  });

  test('a release forgets a rule that nobody has met', async () => {
    await bench.control.putScript(script('unmet', [{ reply: [{ text: 'a' }] }]));
    await bench.control.holdAt({ name: 'unmet', script: 'unmet', turn: 0 });
    expect(await bench.control.release('unmet')).toBe(0);
    await answer(bench, asking('unmet'));
  });
});

describe('bill and journal', () => {
  test('a reply that was paid twice shows', async () => {
    await bench.control.putScript(script('billed', [{ reply: [{ text: 'a' }] }]));
    await answer(bench, asking('billed'));
    expect(await bench.control.bill('billed')).toMatchObject({ calls: 1, repeated: [] });
    await answer(bench, asking('billed'));
    const bill = await bench.control.bill('billed');
    expect(bill).toMatchObject({ calls: 2, unfinished: 0, turns: [{ turn: 0, calls: 2 }] });
    expect(bill.repeated).toHaveLength(1);
    expect(bill.costUsd).toBeCloseTo((bill.usage.input_tokens * 2 + bill.usage.output_tokens * 10) / 1e6, 9);
  });

  test('a reply that the client left is unfinished, its input paid', async () => {
    await bench.control.putScript(
      script('left', [{ reply: [{ text: 'a' }], hold: { at: 'afterFirstDelta', name: 'left' } }]),
    );
    const stream = bench.client.beta.messages.stream(asking('left'));
    const ended = failure(stream.finalMessage());
    await bench.control.waitForHold('left');
    stream.abort();
    await ended;
    await settled('left');
    const bill = await bench.control.bill('left');
    expect(bill).toMatchObject({ calls: 0, unfinished: 1, usage: { output_tokens: 1 } });
    expect(bill.usage.input_tokens).toBeGreaterThan(0);
  });

  test('the journal shows what was sent and answered, never the key', async () => {
    await bench.control.putScript(script('noted', [{ reply: [{ text: 'a' }] }]));
    const reply = await answer(bench, asking('noted'));
    const [entry] = await bench.control.journal('noted');
    expect(entry).toMatchObject({
      script: 'noted',
      turn: 0,
      status: 'answered',
      request: { messages: [{ role: 'user', content: 'go' }], stream: true },
      reply: { id: reply.id },
      headers: { 'anthropic-version': expect.any(String) },
      bodySha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(JSON.stringify(entry)).not.toContain('Bearer');
    expect(await bench.control.journal('noted', entry?.n)).toEqual([]);
  });

  test('every finished request is a line of the journal file', async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'scripted-'));
    const file = path.join(dir, 'journal.jsonl');
    const own = await aScriptedModel(file);
    try {
      await own.control.putScript(script('filed', [{ reply: [{ text: 'a' }] }]));
      await answer(own, asking('filed'));
      await failure(answer(own, asking('missing')));
      const lines = readFileSync(file, 'utf8').trim().split('\n');
      expect(lines.map((l) => (JSON.parse(l) as { status: string }).status)).toEqual(['answered', 'refused']);
      await own.control.reset();
      expect(await own.control.journal()).toEqual([]);
      expect(await own.control.bill()).toMatchObject({ calls: 0, turns: [] });
    } finally {
      await own.server.close();
      rmSync(dir, { recursive: true });
    }
  });

  test('a prefix that was marked and sent before is read from the cache, a changed one is written again', async () => {
    await bench.control.putScript(script('cached', [{ reply: [look] }, { reply: [{ text: 'end' }] }]));
    const marked = { cache_control: { type: 'ephemeral' as const }, system: 'a long text '.repeat(50) };
    const messages = await conversation(bench, 'cached', undefined, marked);
    const usages = (await bench.control.journal('cached')).map((e) => e.usage);
    expect(usages[0]).toMatchObject({ input_tokens: 0, cache_read_input_tokens: 0 });
    expect(usages[1]?.cache_read_input_tokens).toBe(usages[0]?.cache_creation_input_tokens);
    const changed = { ...asking('cached', { ...marked, messages: messages.slice(0, 3) }), system: 'another' };
    expect((await answer(bench, changed)).usage).toMatchObject({ cache_read_input_tokens: 0 });
    const unmarked = await answer(bench, asking('cached', { messages: messages.slice(0, 3) }));
    expect(unmarked.usage).toMatchObject({ cache_read_input_tokens: 0, cache_creation_input_tokens: 0 });
  });
});

/** The server hears of a client that went away a moment later. */
async function settled(name: string): Promise<void> {
  for (;;) {
    const entries = await bench.control.journal(name);
    if (entries.every((e) => e.status !== 'open')) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
