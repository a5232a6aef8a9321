// Running a tool once: time, size, shape of results, and what a throw means.
import { MAX_RESULT_BYTES, resultOf } from '../../tools/result.js';
import { ToolError, type ToolExecutor, ToolUnavailable, settledThrow } from '../../tools/execution.js';
import { builtInTools } from '../../tools/builtIn/index.js';
import { aCall, run, shown } from '../tools/context.js';

const definition = (builtInTools[0] as ToolExecutor).definition;
const returning = (value: unknown): ToolExecutor => ({ definition, execute: async () => resultOf(value) });
const executing = (execute: ToolExecutor['execute']): ToolExecutor => ({ definition, execute });

const withCode = (code: string): Error => Object.assign(new Error(code), { code });

describe('a result', () => {
  const cyclic: Record<string, unknown> = {};
  cyclic['self'] = cyclic;

  test.each<[string, unknown, string]>([
    ['text', 'twelve', 'twelve'],
    ['a number', 12, '12'],
    ['false', false, 'false'],
    ['nothing', undefined, '(no output)'],
    ['null', null, '(no output)'],
    ['empty text', '', '(no output)'],
    ['blanks', ' \n', '(only white space)'],
    ['an object', { a: 1 }, '{\n "a": 1\n}'],
    ['an empty list', [], '[]'],
    ['a result', { content: 'twelve' }, 'twelve'],
    ['a result without blocks', { content: [] }, '(no output)'],
    [
      'blocks',
      [
        { type: 'text', text: 'a' },
        { type: 'text', text: '' },
      ],
      'a',
    ],
    ['NUL and half a character', 'a\0b\uD800c', 'a\uFFFDb\uFFFDc'],
    ['data with a field content', { content: 'x', id: 7 }, '{\n "content": "x",\n "id": 7\n}'],
    ['data that only looks like blocks', [{ type: 'invoice' }], '[\n {\n  "type": "invoice"\n }\n]'],
    [
      'blocks that no request can hold',
      { content: [{ type: 'tool_use', id: 'x' }] },
      JSON.stringify({ content: [{ type: 'tool_use', id: 'x' }] }, null, 1),
    ],
    [
      'an image of an unknown type',
      { content: [{ type: 'image', source: { type: 'base64', media_type: 'image/tiff', data: 'AA==' } }] },
      expect.stringContaining('image/tiff'),
    ],
  ])('of %s is shown as text that models can be sent', async (_, value, text) => {
    expect(shown(await run(returning(value), {}))).toEqual({ text, isError: false });
  });

  test.each<[string, unknown, string]>([
    ['bytes', Buffer.alloc(12), 'The tool ran and returned 12 bytes that are not text. They were not taken.'],
    ['a function', () => 1, 'The tool ran and returned a function.'],
    ['a cycle', cyclic, expect.stringContaining('The tool ran, but what it returned has no JSON form')],
    ['a bigint', 1n, expect.stringContaining('has no JSON form')],
    ['an error result', { content: 'no such order', isError: true }, 'no such order'],
  ])('of %s is an error for the model', async (_, value, text) => {
    expect(shown(await run(returning(value), {}))).toEqual({ text, isError: true });
  });

  test('may hold images and documents, without the fields that are not theirs to set', async () => {
    const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AA==' } };
    const marked = { ...image, cache_control: { type: 'ephemeral' } };
    const settled = await run(returning({ content: [{ type: 'text', text: 'a picture' }, marked] }), {});
    expect(settled).toEqual({ kind: 'result', isError: false, content: [{ type: 'text', text: 'a picture' }, image] });
  });

  test('is taken whole up to the limit', async () => {
    const text = 'a'.repeat(MAX_RESULT_BYTES);
    expect(shown(await run(returning(text), {})).text).toHaveLength(MAX_RESULT_BYTES);
  });

  test('beyond the limit is an error that says size and limit', async () => {
    const settled = shown(await run(returning('ä'.repeat(50 * 1024 * 1024)), {}));
    expect(settled.isError).toBe(true);
    expect(settled.text).toContain(`has ${100 * 1024 * 1024} bytes; at most ${MAX_RESULT_BYTES} are taken`);
  });

  test('that hides its size in a field that is not shown is measured without it', async () => {
    const block = { type: 'text', text: 'a', citations: 'x'.repeat(MAX_RESULT_BYTES) };
    expect(await run(returning([block]), {})).toEqual({
      kind: 'result',
      isError: false,
      content: [{ type: 'text', text: 'a' }],
    });
  });
});

describe('time', () => {
  test('a tool that never returns is given up, and told so by its signal', async () => {
    let signal: AbortSignal | undefined;
    const stuck = executing((_, ctx) => {
      signal = ctx.signal;
      return new Promise(() => undefined);
    });
    expect(await run(stuck, {}, aCall(), 20)).toEqual({
      kind: 'unavailable',
      text: `${definition.name} did not return within 0.02 s.`,
    });
    expect(signal?.aborted).toBe(true);
  });

  test('a tool that obeys its signal is told apart by how long it took, not by how it threw', async () => {
    const obedient = executing(
      (_, ctx) =>
        new Promise((_resolve, reject) => {
          ctx.signal.addEventListener('abort', () => reject(new Error('interrupted')));
        }),
    );
    expect(await run(obedient, {}, aCall(), 20)).toMatchObject({ text: expect.stringContaining('did not return') });
  });

  test('a tool that fails after it was given up disturbs nothing', async () => {
    let fail: ((err: Error) => void) | undefined;
    const late = executing(() => new Promise((_, reject) => (fail = reject)));
    expect(await run(late, {}, aCall(), 5)).toMatchObject({ kind: 'unavailable' });
    fail?.(new Error('too late')); // an unhandled rejection would end the process
    await new Promise((resolve) => setImmediate(resolve));
  });

  test('a timeout of a month does not fire at once', async () => {
    const slow = executing(() => new Promise((resolve) => setTimeout(() => resolve({ content: 'done' }), 30)));
    expect(shown(await run(slow, {}, aCall(), 30 * 86_400_000)).text).toBe('done');
  });

  test('a tool in flight is left when the run is cancelled', async () => {
    const cancel = new AbortController();
    const settled = run(
      executing(() => {
        cancel.abort();
        return new Promise(() => undefined);
      }),
      {},
      aCall({ signal: cancel.signal }),
    );
    expect(await settled).toMatchObject({ kind: 'unavailable', text: expect.stringContaining('was stopped') });
  });

  test('a tool of a cancelled run is not started', async () => {
    const execute = jest.fn();
    const settled = await run(executing(execute), {}, aCall({ signal: AbortSignal.abort() }));
    expect(shown(settled)).toEqual({
      text: `${definition.name} was stopped before it started. Nothing was executed.`,
      isError: true,
    });
    expect(execute).not.toHaveBeenCalled();
  });
});

describe('a throw', () => {
  test.each<[string, unknown]>([
    ['ECONNREFUSED', withCode('ECONNREFUSED')],
    ['ECONNRESET', withCode('ECONNRESET')],
    ['ENOTFOUND', withCode('ENOTFOUND')],
    ['UND_ERR_SOCKET', withCode('UND_ERR_SOCKET')],
    ['UND_ERR_HEADERS_TIMEOUT', withCode('UND_ERR_HEADERS_TIMEOUT')],
    ['an answer that is no HTTP', withCode('HPE_INVALID_CONSTANT')],
    ['fetch failed', new TypeError('fetch failed', { cause: withCode('ECONNREFUSED') })],
    ['AbortError', new DOMException('aborted', 'AbortError')],
    ['TimeoutError', new DOMException('timed out', 'TimeoutError')],
    ['ToolUnavailable', new ToolUnavailable('busy')],
    ['ToolUnavailable of another copy of the package', Object.assign(new Error('busy'), { name: 'ToolUnavailable' })],
  ])('of %s is no answer', (_, err) => {
    expect(settledThrow(err)).toMatchObject({ kind: 'unavailable' });
  });

  test.each<[string, unknown, string]>([
    ['ToolError', new ToolError('no such order'), 'no such order'],
    ['a plain error', new Error('boom'), 'boom'],
    ['text', 'boom', 'boom'],
    ['nothing', undefined, 'The tool failed and did not say why.'],
    ['an error without a message', new Error(), 'The tool failed and did not say why.'],
    ['an object without a form', Object.create(null), 'The tool failed and did not say why.'],
    ['an error with a message that is no text', { message: { a: 1 } }, 'The tool failed and did not say why.'],
    ['a request that could not be made', withCode('UND_ERR_INVALID_ARG'), 'UND_ERR_INVALID_ARG'],
    ['a missing file', withCode('ENOENT'), 'ENOENT'],
  ])('of %s is a failure that the model sees', (_, err, text) => {
    expect(shown(settledThrow(err))).toEqual({ text, isError: true });
  });

  test('shows at most 4,000 characters and no stack', () => {
    const { text } = shown(settledThrow(new Error('x'.repeat(10_000))));
    expect(text).toBe('x'.repeat(4000));
  });

  test('keeps the time after which the destination wants to be asked again', () => {
    expect(settledThrow(new ToolUnavailable('busy', 1500))).toEqual({
      kind: 'unavailable',
      text: 'busy',
      retryAfterMs: 1500,
    });
  });
});
