// From exec of a worker process to the moment when it polls.
import { type Spread, spreadOf } from '../measure/statistics.js';
import type { Service } from '../../embedded/services.js';
import type { Part } from './part.js';

export interface WorkerStartResult {
  readyMs: Spread;
}

export const workerStart: Part<WorkerStartResult> = {
  what: 'process start of a worker, from exec to polling',
  async measure({ longhaul }, settings, say) {
    const ms: number[] = [];
    for (let i = 0; i < settings.workerStarts; i++) {
      await longhaul.stopWorker(longhaul.workers[0] as Service);
      ms.push(await longhaul.timedStart());
    }
    const readyMs = spreadOf(ms);
    say(`${readyMs.median.toFixed(0)} ms (${readyMs.min.toFixed(0)}–${readyMs.max.toFixed(0)})`);
    return { readyMs };
  },
};
