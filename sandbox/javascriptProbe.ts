// Tries to break out of the JavaScript sandbox: to other objects, past its time, past its memory.
import { runJavascript } from './javascript.js';
import type { JavascriptResult } from './javascriptCall.js';
import { defaultJavascriptLimits } from './limits.js';
import { type Probe, doesNotHold, holds, undecided } from './probe.js';

interface Attempt {
  code: string;
  timeoutMs?: number;
  stopped: (result: JavascriptResult) => boolean;
  otherwise: string;
}

const ATTEMPTS: readonly Attempt[] = [
  {
    code: `['process', 'require', 'fetch', 'WebAssembly', 'setTimeout', 'Deno', 'std', 'os'].filter((name) =>
      globalThis.constructor.constructor('return typeof ' + name)() !== 'undefined')`,
    stopped: (r) => r.ended === 'returned' && r.json === '[]',
    otherwise: 'code in it reaches objects of the worker',
  },
  {
    code: `await import('node:fs')`,
    stopped: (r) => r.ended === 'threw',
    otherwise: 'code in it imports modules of the worker',
  },
  {
    code: 'for (;;) try { for (;;); } catch {}',
    timeoutMs: 100,
    stopped: (r) => r.ended === 'timeout',
    otherwise: 'an endless loop in it is not ended',
  },
  {
    code: 'const all = []; for (;;) all.push(new Array(100000).fill(1))',
    stopped: (r) => r.ended === 'memory',
    otherwise: 'code in it takes all memory',
  },
];

/** Time enough on a machine that is busy with other things. */
const LIMITS = { ...defaultJavascriptLimits, timeoutMs: 10_000, memoryBytes: 16 * 1024 * 1024 };

export async function probeJavascript(): Promise<Probe> {
  for (const { code, timeoutMs = LIMITS.timeoutMs, stopped, otherwise } of ATTEMPTS) {
    const limits = { ...LIMITS, timeoutMs };
    const result = await runJavascript({ code, input: 'null', limits }).catch(notStarted);
    if (stopped(result)) continue;
    if (result.ended === 'timeout') return undecided('its probe did not come to an end in time; it is tried again');
    return doesNotHold(`${otherwise} (${JSON.stringify(result).slice(0, 200)})`);
  }
  return holds;
}

const notStarted = (err: unknown): JavascriptResult => ({
  ended: 'broken',
  console: err instanceof Error ? err.message : String(err),
});
