// The tool `javascript`: values in and out, no way out, and an end to everything.
import { javascriptDefinition, javascriptTool } from '../../tools/builtIn/javascript.js';
import { endIdleThreads, runJavascript } from '../../sandbox/javascript.js';
import { probeJavascript } from '../../sandbox/javascriptProbe.js';
import { defaultJavascriptLimits } from '../../sandbox/limits.js';
import { noSandboxes, type Sandboxes } from '../../sandbox/sandboxes.js';
import { run, shown } from './context.js';

const sandboxes: Sandboxes = { ...noSandboxes('not used'), javascript: () => Promise.resolve({ holds: true }) };
const definition = {
  ...javascriptDefinition,
  javascript: { ...defaultJavascriptLimits, timeoutMs: 500, memoryBytes: 16 * 1024 * 1024 },
};
const tool = javascriptTool(definition, sandboxes);
const calling = async (code: string, input?: unknown) => shown(await run(tool, { code, input }));

afterAll(endIdleThreads);

describe('code', () => {
  test.each<[string, unknown, string]>([
    ['1 + 1', undefined, '2'],
    ['input.prices.reduce((a, b) => a + b)', { prices: [1, 2.5] }, '3.5'],
    ['const total = input.a * 2; total', { a: 21 }, '42'],
    ['return { name: input }', 'grüße', '{"name":"grüße"}'],
    ['const wait = async () => 3; return await wait()', undefined, '3'],
    ['Promise.resolve([1, 2])', undefined, '[1,2]'],
    ['input', null, 'null'],
  ])('%j gives its value as JSON', async (code, input, result) => {
    expect(await calling(code, input)).toEqual({ text: result, isError: false });
  });

  test('shows what it wrote to the console beside its value', async () => {
    const { text } = await calling('console.log("a", {b: [1]}, undefined); console.error(2); 3');
    expect(text).toBe('3\n[console]\na {"b":[1]} undefined\n2');
  });

  test('without a value is told how to give one', async () => {
    expect(await calling('const a = 1;')).toEqual({
      text: 'No value: end with an expression, or use return.',
      isError: false,
    });
  });

  test.each([
    ['throw new TypeError("bad")', 'TypeError: bad\n    at <eval> (code.js:1:'],
    ['throw { reason: 5 }', 'Thrown: {"reason":5}'],
    ['const = 1', 'SyntaxError'],
    ['1n', 'TypeError: Do not know how to serialize a BigInt'],
    ['const a = []; a.push(a); a', 'circular reference'],
    ['new Promise(() => {})', 'never settles'],
    ['"x".repeat(200000)', 'has 200002 characters as JSON; at most 65536'],
  ])('%j is an error for the model', async (code, reason) => {
    expect(await calling(code)).toEqual({ text: expect.stringContaining(reason), isError: true });
  });

  test('keeps nothing for the next call', async () => {
    await calling('globalThis.kept = 1; Array.prototype.kept = 1; JSON.stringify = () => "mine"; 1');
    expect((await calling('[typeof kept, typeof [].kept, JSON.stringify(1)]')).text).toBe(
      '["undefined","undefined","1"]',
    );
  });
});

describe('there is no way out', () => {
  const NAMES = 'process require fetch WebAssembly setTimeout setInterval XMLHttpRequest Deno Bun std os scriptArgs module exports global __dirname Buffer Worker postMessage'; // prettier-ignore

  test.each([
    ['by name', `'${NAMES}'.split(' ').filter((name) => typeof globalThis[name] !== 'undefined')`],
    ['through constructors', `'${NAMES}'.split(' ').filter((name) => console.log.constructor('return typeof ' + name)() !== 'undefined')`], // prettier-ignore
    ['through an error of the host', `let found = []; try { console.log({ toJSON() { throw new Error() } }) } catch (e) { found = [e.constructor.constructor('return typeof process')()].filter((t) => t !== 'undefined') } found`], // prettier-ignore
  ])('%s', async (_how, code) => {
    expect((await calling(code)).text.split('\n')[0]).toBe('[]');
  });

  test.each(['import("node:fs")', 'await import("https://example.com/a.js")'])('by %s', async (code) => {
    expect(await calling(code)).toEqual({ text: expect.stringContaining('could not load module'), isError: true });
  });
});

describe('code that wants more than it may have', () => {
  test.each([
    ['a loop', 'for (;;);'],
    ['a loop that catches its own end', 'for (;;) try { for (;;); } catch {}'],
    ['a pattern that takes for ever', '/(a+)+$/.test("a".repeat(50) + "b")'],
    ['a value that takes for ever to write', '({ toJSON() { for (;;); } })'],
    ['console lines without end', 'for (let i = 0; ; i++) console.log(i)'],
  ])('is ended at its time limit: %s', async (_what, code) => {
    const { text, isError } = await calling(code);
    expect({ text: text.split('\n')[0], isError }).toEqual({
      text: 'The code was ended after 0.5 s, its time limit.',
      isError: true,
    });
  });

  test.each([
    ['many objects', 'const all = []; for (;;) all.push(new Array(10000).fill(1))'],
    ['one text', '"x".repeat(1e9)'],
    ['a buffer', 'new Uint8Array(1e9)'],
  ])('is ended at its memory limit: %s', async (_what, code) => {
    expect((await calling(code)).text).toContain('more than 16 MiB of memory');
  });

  test('is told of recursion without end', async () => {
    expect((await calling('const f = () => f() + 1; f()')).text).toContain('calls itself too deeply');
  });

  test('does not hold up the worker: other code and timers go on beside an endless loop', async () => {
    const stop = new AbortController();
    const limits = { ...defaultJavascriptLimits, timeoutMs: 60_000 };
    const endless = runJavascript({ code: 'for (;;);', input: 'null', limits }, stop.signal);
    const beside = await runJavascript({ code: '1', input: 'null', limits });
    for (let ticks = 0; ticks < 5; ticks++) await new Promise((resolve) => setTimeout(resolve, 5));
    stop.abort();
    expect(beside).toMatchObject({ ended: 'returned', json: '1' });
    expect(await endless).toEqual({ ended: 'stopped', console: '' });
  });

  test('waits for its turn when many calls are made at once, and all of them end', async () => {
    const results = await Promise.all(Array.from({ length: 12 }, (_, i) => calling(`${i} * 2`)));
    expect(results.map(({ text }) => Number(text))).toEqual(Array.from({ length: 12 }, (_, i) => i * 2));
  });
});

test('the probe finds that the sandbox holds', async () => {
  expect(await probeJavascript()).toEqual({ holds: true });
});

test('a worker whose sandbox does not hold executes nothing and says why', async () => {
  const settled = await run(javascriptTool(definition, noSandboxes('it leaks')), { code: '1' });
  expect(shown(settled)).toEqual({
    text: 'There is no JavaScript on this worker: it leaks. Nothing was executed.',
    isError: true,
  });
});
