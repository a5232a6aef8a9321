// Many runs at once: 50 runs of 10 steps in flight, a new one for each that ends.
import { newKey } from '../benchRun.js';
import { now } from '../clock.js';
import type { Contender, ContenderName } from '../contenders/contender.js';
import { type Spread, spreadOf } from '../measure/statistics.js';
import type { Stage } from '../stage.js';
import type { Part } from './part.js';

export const IN_FLIGHT = 50;
export const STEPS = 10;

export interface ThroughputResult {
  contender: ContenderName;
  runs: number;
  /** Between a quarter and three quarters of the runs ended, when all are in flight. */
  runsPerSecond: number;
  /** From asking for a run to its first call, of the runs that replaced ended ones. In milliseconds. */
  firstCallMs: Spread;
}

export const throughput: Part<ThroughputResult[]> = {
  what: `${IN_FLIGHT} runs of ${STEPS} steps in flight`,
  async measure(stage, settings, say) {
    const results: ThroughputResult[] = [];
    for (const contender of stage.contenders) {
      const result = await measureOne(stage, contender, settings.throughputRuns);
      say(`${contender.name}: ${result.runsPerSecond.toFixed(1)} runs/s`);
      results.push(result);
    }
    return results;
  },
};

async function measureOne({ calls }: Stage, contender: Contender, runs: number): Promise<ThroughputResult> {
  const ends: number[] = [];
  const firstCalls: number[] = [];
  let asked = 0;
  const lane = async (): Promise<void> => {
    while (asked < runs) {
      const isReplacement = asked >= IN_FLIGHT;
      asked += 1;
      const run = { key: newKey('t'), steps: STEPS };
      const from = now();
      await contender.start(run);
      const [first, last] = [await calls.reached(run.key, 0), await calls.reached(run.key, STEPS)];
      if (isReplacement) firstCalls.push(first.at - from);
      ends.push(last.at);
      await contender.ended(run);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  const sorted = ends.toSorted((a, b) => a - b);
  const [from, to] = [Math.floor(runs / 4), Math.floor((runs * 3) / 4)];
  const seconds = ((sorted[to] as number) - (sorted[from] as number)) / 1000;
  return { contender: contender.name, runs, runsPerSecond: (to - from) / seconds, firstCallMs: spreadOf(firstCalls) };
}
