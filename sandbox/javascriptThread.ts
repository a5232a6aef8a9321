// Runs in a thread of its own, one call after another, each in a QuickJS machine of its own: a WebAssembly instance
// with its own memory, which is thrown away after the call. The code reaches nothing but what is put in here.
import { parentPort, workerData } from 'node:worker_threads';
import {
  type QuickJSContext,
  type QuickJSHandle,
  type QuickJSRuntime,
  RELEASE_SYNC,
  newQuickJSWASMModuleFromVariant,
  newVariant,
} from 'quickjs-emscripten';
import { type WasmModule, webAssembly } from './webAssembly.js';
import type { JavascriptLimits } from '../contracts/sandboxLimits.js';
import type { JavascriptCall, JavascriptResult } from './javascriptCall.js';

const { wasmModule } = workerData as { wasmModule: WasmModule };

parentPort?.postMessage('ready', []);

const PAGE_BYTES = 65_536;
/** Size of the machine when it starts, and room for its own parts beside what the code may use. */
const INITIAL_PAGES = 256;
const OWN_BYTES = 16 * 1024 * 1024;
/** Deeper recursion is an error of the code. More would reach the end of this thread's own stack first. */
const STACK_BYTES = 256 * 1024;

parentPort?.on('message', (call: JavascriptCall) => {
  void run(call).then((result) => parentPort?.postMessage(result, []));
});

async function run({ code, input, limits }: JavascriptCall): Promise<JavascriptResult> {
  const lines = new ConsoleLines(limits.outputChars);
  try {
    const runtime = await newRuntime(limits);
    const context = runtime.newContext();
    const provided = provide(context, input, limits, lines);
    const deadline = Date.now() + limits.timeoutMs; // of the code: making its machine does not count
    runtime.setInterruptHandler(() => Date.now() > deadline);
    const outcome = evaluate(runtime, context, code);
    if (outcome.ok) return returned(provided, outcome.value, limits, deadline, lines);
    return failed(context.dump(outcome.error) as unknown, deadline, lines);
  } catch (err) {
    // The machine's own stack ended inside of QuickJS; it is not used again.
    if (err instanceof RangeError) return { ended: 'recursion', console: lines.text() };
    return { ended: 'broken', console: lines.text() };
  }
}

async function newRuntime(limits: JavascriptLimits): Promise<QuickJSRuntime> {
  const maximum = INITIAL_PAGES + Math.ceil((limits.memoryBytes + OWN_BYTES) / PAGE_BYTES);
  const wasmMemory = new webAssembly.Memory({ initial: INITIAL_PAGES, maximum });
  const quickJs = await newQuickJSWASMModuleFromVariant(newVariant(RELEASE_SYNC, { wasmModule, wasmMemory }));
  const runtime = quickJs.newRuntime();
  runtime.setMemoryLimit(limits.memoryBytes);
  runtime.setMaxStackSize(STACK_BYTES);
  return runtime;
}

interface Provided {
  /** The machine's own, whatever the code puts in its place. */
  stringify: (value: QuickJSHandle) => { text: string | undefined } | { tooLong: number } | { error: unknown };
}

/** `input` and `console`, and nothing else. */
function provide(context: QuickJSContext, input: string, limits: JavascriptLimits, lines: ConsoleLines): Provided {
  const json = context.getProp(context.global, 'JSON');
  const parse = context.getProp(json, 'parse');
  const stringify = context.getProp(json, 'stringify');
  const given = context.unwrapResult(context.callFunction(parse, json, context.newString(input)));
  context.setProp(context.global, 'input', given);
  const provided: Provided = {
    stringify(value) {
      const made = context.callFunction(stringify, json, value);
      if (made.error) return { error: context.dump(made.error) as unknown };
      if (context.typeof(made.value) !== 'string') return { text: undefined };
      // Looked at before it is copied out: it may be as large as the machine's memory.
      const length = context.getNumber(context.getProp(made.value, 'length'));
      return length > limits.outputChars ? { tooLong: length } : { text: context.getString(made.value) };
    },
  };
  const console = context.newObject();
  for (const level of ['log', 'info', 'warn', 'error', 'debug']) {
    const write = context.newFunction(level, (...args) => {
      lines.add(args.map((arg) => shown(context, provided, arg, limits)).join(' '));
    });
    context.setProp(console, level, write);
  }
  context.setProp(context.global, 'console', console);
  return provided;
}

function shown(
  context: QuickJSContext,
  { stringify }: Provided,
  value: QuickJSHandle,
  limits: JavascriptLimits,
): string {
  switch (context.typeof(value)) {
    case 'string': {
      const length = context.getNumber(context.getProp(value, 'length'));
      return length > limits.outputChars ? `(a text of ${length} characters)` : context.getString(value);
    }
    case 'object': {
      const made = stringify(value);
      if ('text' in made) return made.text ?? '(nothing)';
      return 'tooLong' in made ? `(${made.tooLong} characters of JSON)` : errorText(context.dump(value));
    }
    case 'function':
      return '(a function)';
    default:
      return String(context.dump(value));
  }
}

type Outcome = { ok: true; value: QuickJSHandle } | { ok: false; error: QuickJSHandle };

/** The value of the last expression. Code with `return` or `await` outside of a function is taken as the body of one. */
function evaluate(runtime: QuickJSRuntime, context: QuickJSContext, code: string): Outcome {
  let result = context.evalCode(code, 'code.js');
  if (result.error && isSyntaxError(context.dump(result.error))) {
    const again = context.evalCode(`(async () => {${code}\n})()`, 'code.js');
    if (!again.error || !isSyntaxError(context.dump(again.error))) result = again;
  }
  if (result.error) return { ok: false, error: result.error };
  const jobs = runtime.executePendingJobs();
  if (jobs.error) return { ok: false, error: jobs.error };
  return settled(context, result.value);
}

/** What a promise has become when nothing is left to do. */
function settled(context: QuickJSContext, value: QuickJSHandle): Outcome {
  const state = context.getPromiseState(value);
  switch (state.type) {
    case 'fulfilled':
      return { ok: true, value: state.value };
    case 'rejected':
      return { ok: false, error: state.error };
    case 'pending':
      return { ok: false, error: context.newError('the promise of the result never settles: nothing here can wait') };
  }
}

function returned(
  { stringify }: Provided,
  value: QuickJSHandle,
  { outputChars }: JavascriptLimits,
  deadline: number,
  lines: ConsoleLines,
): JavascriptResult {
  const made = stringify(value);
  if ('error' in made) return failed(made.error, deadline, lines);
  if ('tooLong' in made) {
    const error = `The result has ${made.tooLong} characters as JSON; at most ${outputChars} are taken. Return less.`;
    return { ended: 'threw', error, console: lines.text() };
  }
  return { ended: 'returned', ...(made.text === undefined ? {} : { json: made.text }), console: lines.text() };
}

function failed(error: unknown, deadline: number, lines: ConsoleLines): JavascriptResult {
  const { name, message } = (typeof error === 'object' && error !== null ? error : {}) as Record<string, unknown>;
  // Thrown by QuickJS itself, and `null` when there was no memory left even for the error.
  if (name === 'InternalError' && message === 'interrupted' && Date.now() > deadline) {
    return { ended: 'timeout', console: lines.text() };
  }
  if (error === null || (name === 'InternalError' && message === 'out of memory')) {
    return { ended: 'memory', console: lines.text() };
  }
  if (name === 'InternalError' && message === 'stack overflow') return { ended: 'recursion', console: lines.text() };
  return { ended: 'threw', error: errorText(error), console: lines.text() };
}

const isSyntaxError = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && (error as { name?: unknown }).name === 'SyntaxError';

const MAX_ERROR = 2000;

/** Of an Error its name, message and place; of anything else that was thrown its JSON. */
function errorText(error: unknown): string {
  const { name, message, stack } = (typeof error === 'object' && error !== null ? error : {}) as Record<
    string,
    unknown
  >;
  if (typeof message !== 'string') return `Thrown: ${JSON.stringify(error)}`.slice(0, MAX_ERROR);
  const where = typeof stack === 'string' ? stack.split('\n').slice(0, 5).join('\n').trimEnd() : '';
  const what = `${typeof name === 'string' ? name : 'Error'}: ${message}`;
  return (where === '' ? what : `${what}\n${where}`).slice(0, MAX_ERROR);
}

/** Keeps what was written first. */
class ConsoleLines {
  private readonly lines: string[] = [];
  private chars = 0;
  private left = 0;

  constructor(private readonly limit: number) {}

  add(line: string): void {
    if (this.chars + line.length > this.limit) this.left += 1;
    else {
      this.lines.push(line);
      this.chars += line.length + 1;
    }
  }

  text(): string {
    return [...this.lines, ...(this.left === 0 ? [] : [`… ${this.left} more lines left out`])].join('\n');
  }
}
