// The figures to reach, each with its goal and whether it is reached. All are ratios or differences within one run.
import type { Results } from '../parts/index.js';
import type { StepSample } from '../parts/steps.js';
import { lengthsOf, medianOf, paired, sameShape } from './shape.js';

export interface Figure {
  name: string;
  /** undefined: not measured in this run. */
  value: number | undefined;
  unit: string;
  goal: number;
  /** Reached when the value is at most the goal, or, for a ratio that should be 1, within so much of it. */
  within?: number;
  note: string;
}

export const isReached = ({ value, goal, within }: Figure): boolean | undefined =>
  value === undefined ? undefined : within === undefined ? value <= goal : Math.abs(value - goal) <= within;

export function figuresOf(results: Results): Figure[] {
  return [...recoveries(results), ...steps(results.steps?.samples ?? []), ...starts(results), ...waits(results)];
}

function recoveries({ recovery }: Results): Figure[] {
  return [
    {
      name: 'finished calls made again after kill -9',
      ...{ value: recovery?.madeAgain, unit: '', goal: 0 },
      note: recovery
        ? `${recovery.kills} kills in a model call; all kill points: npm run crash-matrix`
        : 'npm run crash-matrix',
    },
    {
      name: 'kill -9 of the only worker to first new call, less process start',
      ...{ value: seconds(recovery?.onlyWorker.lessProcessStart.median), unit: 's', goal: 0.1 },
      note: recovery ? `with it ${seconds(recovery.onlyWorker.toFirstCall.median)?.toFixed(2)} s` : '',
    },
    {
      name: 'the same with a second worker alive, from the kill',
      ...{ value: seconds(recovery?.secondWorker.toFirstCall.median), unit: 's', goal: 0.5 },
      note: recovery ? `next step's call after ${seconds(recovery.secondWorker.toNextStep.median)?.toFixed(2)} s` : '',
    },
  ];
}

function steps(samples: readonly StepSample[]): Figure[] {
  const lengths = lengthsOf(samples).toSorted((a, b) => a - b);
  const bare = sameShape(samples);
  const [short = 20, long = 400] = [lengths[0], lengths.at(-1)];
  const middle = lengths.at(-2) ?? long;
  const own = (length: number) =>
    paired(samples, length, ['longhaul', 'plain', bare], (all, plain, empty) => all - plain - empty);
  const floor = paired(samples, middle, ['insert', 'plain'], (insert, plain) => insert - plain);
  const over = (length: number) => paired(samples, length, ['longhaul', 'plain'], (all, plain) => all - plain);
  const walOf = (name: 'longhaul' | 'insert') => medianOf(samples, name, long, (s) => s.walBytes / s.steps);
  return [
    {
      name: `own cost a step over the bare loop with as many empty activities (S=${middle})`,
      ...{ value: own(middle), unit: 'ms', goal: 5 },
      note: `${list(lengths.map((l) => `S=${l}: ${text(own(l))}`))} ms; INSERT floor ${text(floor)} ms`,
    },
    {
      name: `cost a step at S=${long} against S=${short}, less posting the conversation`,
      ...{ value: divided(over(long), over(short)), unit: '×', goal: 1.15 },
      note: `${text(over(long))} against ${text(over(short))} ms over no durability`,
    },
    {
      name: 'history a step, late in a run against early',
      ...{ value: historyGrowth(samples, lengths), unit: '×', goal: 1, within: 0.05 },
      note: `${text(
        medianOf(samples, 'longhaul', long, (s) => s.history && s.history.bytes / s.steps),
        0,
      )} bytes a step`,
    },
    {
      name: 'WAL a step, last quarter of a run against its second',
      ...{
        value: medianOf(samples, 'longhaul', long, (s) => s.walQuarters[1] / s.walQuarters[0]),
        ...{ unit: '×', goal: 1, within: 0.05 },
      },
      note: `S=${long}`,
    },
    {
      name: "WAL a step against the floor's",
      ...{ value: divided(walOf('longhaul'), walOf('insert')), unit: '×', goal: 2.5 },
      note: `${text(walOf('longhaul'), 0)} against ${text(walOf('insert'), 0)} bytes`,
    },
    {
      name: 'a step with a read tool against the bare loop with two ordinary activities',
      ...{
        value: paired(samples, middle, ['longhaul', 'plain', 'bare'], (all, plain, two) => (all - plain) / two),
        ...{ unit: '×', goal: 0.7 },
      },
      note: `S=${middle}, less posting the conversation`,
    },
  ];
}

/** Bytes a step between the middle length and the longest, against those between the shortest and the middle. */
function historyGrowth(samples: readonly StepSample[], lengths: readonly number[]): number | undefined {
  const sorted = lengths.toSorted((a, b) => a - b);
  const [a, b, c] = [sorted[0], sorted.at(-2), sorted.at(-1)];
  if (a === undefined || b === undefined || c === undefined || a === b) return undefined;
  const bytes = (length: number) => medianOf(samples, 'longhaul', length, (s) => s.history?.bytes) ?? Number.NaN;
  const growth = (bytes(c) - bytes(b)) / (c - b) / ((bytes(b) - bytes(a)) / (b - a));
  return Number.isNaN(growth) ? undefined : growth;
}

function starts({ defaults, start, 'worker-start': workerStart }: Results): Figure[] {
  const alone = (name: string) => start?.find((s) => s.contender === name)?.firstCallMs.median;
  return [
    {
      name: "embedded server's ms a step against its own defaults",
      ...{ value: divided(defaults?.tunedMs.median, defaults?.defaultsMs.median), unit: '×', goal: 0.25 },
      note: defaults ? `${text(defaults.tunedMs.median)} against ${text(defaults.defaultsMs.median)} ms` : '',
    },
    {
      name: "start of a run to first model call, alone, against the bare workflow's",
      ...{ value: divided(alone('longhaul'), alone('bare')), unit: '×', goal: 1.3 },
      note: start ? `${text(alone('longhaul'))} against ${text(alone('bare'))} ms` : '',
    },
    {
      name: 'process start of a worker, from exec to polling',
      ...{ value: seconds(workerStart?.readyMs.median), unit: 's', goal: 0.6 },
      note: '',
    },
  ];
}

/** Below these nothing can be told from noise: CPU is counted in hundredths of a second, memory moves with garbage. */
const CPU_NOISE = 3;
const MEMORY_NOISE_KIB = 5;

function waits({ waiting }: Results): Figure[] {
  const worker = waiting && {
    cpu: (waiting.after.cpuMsPerSecond.worker ?? 0) - (waiting.before.cpuMsPerSecond.worker ?? 0),
    kib: (((waiting.after.memoryMiB.worker ?? 0) - (waiting.before.memoryMiB.worker ?? 0)) * 1024) / waiting.runs,
    freshKib:
      (((waiting.freshWorker.memoryMiB.worker ?? 0) - (waiting.before.memoryMiB.worker ?? 0)) * 1024) / waiting.runs,
  };
  const runs = waiting ? `${waiting.runs} runs` : 'runs';
  return [
    {
      name: `${runs} waiting for approvals: CPU of the idle worker over one without`,
      ...{ value: worker?.cpu, unit: 'ms/s', goal: CPU_NOISE },
      note: 'CPU is counted in hundredths of a second',
    },
    {
      name: `${runs} waiting for approvals: memory of the worker, a run`,
      ...{ value: worker?.kib, unit: 'KiB', goal: MEMORY_NOISE_KIB },
      note: worker ? `a worker started while they waited: ${text(worker.freshKib)} KiB a run` : '',
    },
  ];
}

const seconds = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : ms / 1000);

const divided = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : a / b;

const list = (parts: readonly string[]): string => parts.join(', ');

const text = (value: number | undefined, digits = 1): string => value?.toFixed(digits) ?? '?';
