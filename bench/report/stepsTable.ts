// The table of the steps part: a row per contender and length of run.
import type { ContenderName } from '../contenders/contender.js';
import { spreadOf } from '../measure/statistics.js';
import type { StepSample } from '../parts/steps.js';
import type { Row } from './table.js';

export const stepsHead: Row = [
  'contender',
  'S',
  'ms a step',
  'min–max',
  'over no durability',
  'CPU ms worker',
  'Temporal',
  'PostgreSQL',
  'API',
  'WAL KB a step',
  'WAL 2nd→last quarter',
  'history B a step',
  'events',
  'tasks',
];

export function stepsRows(samples: readonly StepSample[], titleOf: (name: ContenderName) => string): Row[] {
  return groupsOf(samples).map((group) => {
    const [first] = group as [StepSample];
    const { contender, steps } = first;
    const of = (value: (s: StepSample) => number | undefined): number | undefined => {
      const values = group.map(value).filter((v) => v !== undefined);
      return values.length === 0 ? undefined : spreadOf(values).median;
    };
    const ms = spreadOf(group.map((s) => s.stepMs));
    const plain = samples.filter((s) => s.contender === 'plain' && s.steps === steps).map((s) => s.stepMs);
    const over = plain.length === 0 ? undefined : ms.median - spreadOf(plain).median;
    const perStep = (value: number | undefined): number | undefined => value && value / steps;
    return [
      titleOf(contender),
      `${steps}`,
      number(ms.median),
      `${number(ms.min)}–${number(ms.max)}`,
      first.contender.startsWith('bare') ? number(ms.median) : number(over),
      number(of((s) => s.cpuMs.worker)),
      number(of((s) => s.cpuMs.temporal)),
      number(of((s) => s.cpuMs.postgres)),
      number(of((s) => s.cpuMs.api)),
      number(perStep(of((s) => s.walBytes / 1000))),
      first.contender === 'longhaul' || first.contender === 'insert'
        ? `${number(of((s) => s.walQuarters[0] / 1000))}→${number(of((s) => s.walQuarters[1] / 1000))}`
        : '',
      number(perStep(of((s) => s.history?.bytes)), 0),
      number(perStep(of((s) => s.history?.events))),
      number(perStep(of((s) => s.history?.workflowTasks))),
    ];
  });
}

/** By contender, then by length. */
export function groupsOf(samples: readonly StepSample[]): StepSample[][] {
  const groups = new Map<string, StepSample[]>();
  for (const s of samples) {
    const key = `${s.contender} ${s.steps}`;
    groups.set(key, [...(groups.get(key) ?? []), s]);
  }
  return [...groups.values()];
}

export const number = (value: number | undefined, digits = 1): string =>
  value === undefined ? '' : value.toFixed(digits);
