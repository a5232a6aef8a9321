// Ends this process when code that never gives way (a loop in a tool, say) blocks it: it could neither renew its lease
// nor go on with anything else. What it was at counts as lost with its worker; whoever keeps the worker starts it again.
import { url as inspectorUrl } from 'node:inspector';
import path from 'node:path';
import { Worker as Thread } from 'node:worker_threads';

/** How often the process shows that it gives way, and the thread looks, in milliseconds. */
const BEAT_MS = 250;

export interface Watch {
  /** Shared with the thread: counts up while the process gives way. */
  beats: Int32Array;
  beatMs: number;
  /** So many looks in a row without a beat, and it ends. Counted, not timed: a process that is paused does not look. */
  looks: number;
}

export function startWatchdog(stuckMs: number): void {
  if (inspectorUrl() !== undefined) return; // somebody debugs: a breakpoint is no fault
  const beats = new Int32Array(new SharedArrayBuffer(4));
  setInterval(() => Atomics.add(beats, 0, 1), BEAT_MS).unref();
  const watch: Watch = { beats, beatMs: BEAT_MS, looks: Math.ceil(stuckMs / BEAT_MS) };
  new Thread(path.join(__dirname, 'watchdogThread.js'), { workerData: watch, name: 'watchdog' }).unref();
}
