// Runs a model's JavaScript in threads that this process can end at any moment, so that no code holds up the worker.
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { type WasmModule, webAssembly } from './webAssembly.js';
import type { JavascriptCall, JavascriptResult } from './javascriptCall.js';
import { Slots } from './slots.js';

/** Beyond the call's own time: for a machine that does not look at its clock. In milliseconds. */
const GRACE_MS = 1000;
/** Threads kept for the next call. A new one takes some 50 ms. */
const MAX_IDLE = 2;
/** Calls at one time; others wait for their turn. */
const MAX_THREADS = 4;
/** Of the thread itself; the code's memory is not in it. */
const HEAP_MIB = 64;
const STACK_MIB = 8;

const idle: Worker[] = [];
const slots = new Slots(MAX_THREADS);
let compiled: Promise<WasmModule> | undefined;

/** Returns when the call is over, or `signal` says to stop; then nothing of it runs any more. */
export async function runJavascript(call: JavascriptCall, signal?: AbortSignal): Promise<JavascriptResult> {
  return slots.with(async () => inThread(idle.pop() ?? (await newThread()), call, signal), signal);
}

/** Ends the threads that wait for work. */
export async function endIdleThreads(): Promise<void> {
  await Promise.all(idle.splice(0).map((thread) => thread.terminate()));
}

async function inThread(thread: Worker, call: JavascriptCall, signal?: AbortSignal): Promise<JavascriptResult> {
  thread.ref();
  const result = await answerOf(thread, call, signal);
  // A thread that gave its answer in time is as good as new; any other is ended, whatever it does.
  const sound = result.ended === 'returned' || result.ended === 'threw';
  if (sound && idle.length < MAX_IDLE) {
    thread.unref();
    idle.push(thread);
  } else {
    await thread.terminate();
  }
  return result;
}

async function answerOf(thread: Worker, call: JavascriptCall, signal?: AbortSignal): Promise<JavascriptResult> {
  const over = new AbortController();
  const listening = { signal: over.signal };
  const ends = (ended: 'stopped' | 'timeout' | 'broken') => (): JavascriptResult => ({ ended, console: '' });
  try {
    const never = new Promise<never>(() => undefined);
    const sent = (): Promise<never> => (thread.postMessage(call, []), never);
    return await Promise.race([
      once(thread, 'message', listening).then(([answer]) => answer as JavascriptResult),
      once(thread, 'exit', listening).then(ends('broken')),
      setTimeout(call.limits.timeoutMs + GRACE_MS, undefined, listening).then(ends('timeout')),
      ...(signal ? [once(signal, 'abort', listening).then(ends('stopped'))] : []),
      sent(), // last, so that nothing is missed
    ]);
  } catch {
    return ends('broken')(); // an error of the thread itself, such as no memory for what it was sent
  } finally {
    over.abort();
  }
}

async function newThread(): Promise<Worker> {
  compiled ??= compile();
  const extension = path.extname(__filename);
  const file = path.join(__dirname, `javascriptThread${extension}`);
  const thread = new Worker(file, {
    workerData: { wasmModule: await compiled },
    env: {},
    argv: [],
    // From the sources, as tests run it, the thread compiles them itself.
    execArgv: extension === '.ts' ? ['--require', require.resolve('tsx/cjs')] : [],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB, maxYoungGenerationSizeMb: 16, stackSizeMb: STACK_MIB },
  });
  thread.on('error', () => undefined); // whoever waits for it is told
  await once(thread, 'message'); // it is ready: the time of a call does not count before
  return thread;
}

/** Once for all threads: they share what is compiled, and no memory. */
async function compile(): Promise<WasmModule> {
  const variant = require.resolve('@jitl/quickjs-wasmfile-release-sync/wasm', {
    paths: [require.resolve('quickjs-emscripten')],
  });
  return webAssembly.compile(await readFile(variant));
}
