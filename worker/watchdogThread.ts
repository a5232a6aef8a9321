// The watchdog's own thread: it runs while the process is blocked, and can rely on nothing that needs the process.
import { writeSync } from 'node:fs';
import { setInterval } from 'node:timers';
import { workerData } from 'node:worker_threads';
import type { Watch } from './watchdog.js';

const { beats, beatMs, looks } = workerData as Watch;
let last = -1;
let same = 0;

setInterval(() => {
  const now = Atomics.load(beats, 0);
  same = now === last ? same + 1 : 0;
  last = now;
  if (same < looks) return;
  const seconds = (looks * beatMs) / 1000;
  const msg = `the process was blocked for ${seconds} s, as by a tool that never gives way; it ends, to be started again`;
  writeSync(2, `${JSON.stringify({ level: 60, time: Date.now(), pid: process.pid, name: 'worker', msg })}\n`);
  process.kill(process.pid, 'SIGKILL');
}, beatMs);
