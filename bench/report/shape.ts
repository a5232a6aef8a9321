// Readings of the steps part that several tables need: medians per contender and length, and differences by repetition,
// so that what the machine did in one repetition is taken out of all of it.
import type { ContenderName } from '../contenders/contender.js';
import { spreadOf } from '../measure/statistics.js';
import type { StepSample } from '../parts/steps.js';

export const lengthsOf = (samples: readonly StepSample[]): number[] => [...new Set(samples.map((s) => s.steps))];

export const samplesOf = (samples: readonly StepSample[], contender: ContenderName, steps: number): StepSample[] =>
  samples.filter((s) => s.contender === contender && s.steps === steps);

export function medianOf(
  samples: readonly StepSample[],
  contender: ContenderName,
  steps: number,
  value: (s: StepSample) => number | undefined,
): number | undefined {
  const values = samplesOf(samples, contender, steps)
    .map(value)
    .filter((v) => v !== undefined);
  return values.length === 0 ? undefined : spreadOf(values).median;
}

/** The median over repetitions of what `combine` makes of one repetition's milliseconds a step. */
export function paired(
  samples: readonly StepSample[],
  steps: number,
  contenders: readonly ContenderName[],
  combine: (...ms: number[]) => number,
): number | undefined {
  const values = samplesOf(samples, contenders[0] as ContenderName, steps).flatMap(({ repetition }) => {
    const ms = contenders.map(
      (name) => samplesOf(samples, name, steps).find((s) => s.repetition === repetition)?.stepMs,
    );
    return ms.every((v) => v !== undefined) ? [combine(...ms)] : [];
  });
  return values.length === 0 ? undefined : spreadOf(values).median;
}

/** The empty loop with as many activities and local activities as a step of Longhaul has. */
export function sameShape(samples: readonly StepSample[]): 'bare' | 'bare-local' {
  const histories = samples.flatMap((s) => (s.contender === 'longhaul' && s.history ? [s.history] : []));
  const local = histories.reduce((sum, h) => sum + h.localActivities, 0);
  const ordinary = histories.reduce((sum, h) => sum + h.activities, 0);
  return local > ordinary / 2 ? 'bare-local' : 'bare';
}
