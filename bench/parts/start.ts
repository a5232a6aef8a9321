// From asking for a run to its first call, while nothing else runs.
import { newKey } from '../benchRun.js';
import { now } from '../clock.js';
import type { ContenderName } from '../contenders/contender.js';
import { type Spread, spreadOf } from '../measure/statistics.js';
import type { Part } from './part.js';

export interface StartResult {
  contender: ContenderName;
  firstCallMs: Spread;
}

export const start: Part<StartResult[]> = {
  what: 'start of a run to its first call, alone',
  async measure({ calls, contenders }, settings, say) {
    const samples = new Map<ContenderName, number[]>();
    for (let i = 0; i < settings.starts; i++) {
      for (const contender of contenders) {
        const run = { key: newKey('b'), steps: 1 };
        const from = now();
        await contender.start(run);
        const first = await calls.reached(run.key, 0);
        samples.set(contender.name, [...(samples.get(contender.name) ?? []), first.at - from]);
        await contender.ended(run);
      }
    }
    const results = [...samples].map(([contender, ms]) => ({ contender, firstCallMs: spreadOf(ms) }));
    for (const { contender, firstCallMs } of results) say(`${contender}: ${firstCallMs.median.toFixed(1)} ms`);
    return results;
  },
};
