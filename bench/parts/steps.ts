// What a step costs: time, CPU, PostgreSQL's log, Temporal's history, over runs of several lengths. Contenders take
// turns, so that whatever else the machine does hits them alike.
import { newKey } from '../benchRun.js';
import type { Contender, ContenderName } from '../contenders/contender.js';
import { type PerRole, cpuOf, cpuSince, memoryOf } from '../measure/cpu.js';
import { type HistorySize, historyOf } from '../measure/history.js';
import type { Stage } from '../stage.js';
import type { Part } from './part.js';

export interface StepSample {
  contender: ContenderName;
  steps: number;
  repetition: number;
  /** Between the first call and the last, a step. */
  stepMs: number;
  /** Of the whole run, its start and end included, a step. */
  cpuMs: PerRole;
  /** Of the whole run. */
  walBytes: number;
  /** Of PostgreSQL's log, a step, in the second and in the last quarter of the run. */
  walQuarters: [number, number];
  /** What the contender's database grew by. */
  databaseBytes?: number;
  history?: HistorySize;
}

export interface StepCosts {
  samples: StepSample[];
  /** When all of them had run, in MiB. */
  memory: { contender: ContenderName; memoryMiB: PerRole }[];
}

export const stepCosts: Part<StepCosts> = {
  what: 'time, CPU, WAL and history a step, by length of run',
  async measure(stage, settings, say) {
    const samples: StepSample[] = [];
    await stage.postgres.keepStill();
    await warmUp(stage);
    for (const steps of settings.steps) {
      for (let repetition = 1; repetition <= settings.repetitions; repetition++) {
        for (const contender of inTurn(stage.contenders, repetition)) {
          if (isTooMuch(contender, steps, repetition)) continue;
          const sample = { ...(await measureRun(stage, contender, steps)), repetition };
          samples.push(sample);
          const ms = sample.stepMs.toFixed(1);
          say(`S=${steps} ${repetition}/${settings.repetitions} ${contender.name}: ${ms} ms a step`);
        }
      }
    }
    const memory = stage.contenders.map((c) => ({ contender: c.name, memoryMiB: memoryOf(c.roles()) }));
    return { samples, memory };
  },
};

/** Forwards and backwards: what comes after a heavy neighbour in one turn comes before it in the next. */
const inTurn = (contenders: readonly Contender[], repetition: number): readonly Contender[] =>
  repetition % 2 === 1 ? contenders : contenders.toReversed();

/** A long run with its transcript as input takes minutes, and its figure needs no second decimal. */
const isTooMuch = (contender: Contender, steps: number, repetition: number): boolean =>
  contender.name === 'transcript' && steps >= 200 && repetition > 2;

/** The first run of a process compiles its code and opens its connections. */
async function warmUp(stage: Stage): Promise<void> {
  for (const contender of stage.contenders) {
    for (let i = 0; i < 3; i++) await measureRun(stage, contender, 10);
  }
}

async function measureRun(stage: Stage, contender: Contender, steps: number): Promise<Omit<StepSample, 'repetition'>> {
  const { calls, postgres, temporal } = stage;
  const run = { key: newKey('s'), steps };
  const cpuBefore = cpuOf(contender.roles());
  const [walBefore, sizeBefore] = [await postgres.walBytes(), await sizeOf(stage, contender)];
  const marks = [1, 2, 3, 4].map((quarter) =>
    calls.reached(run.key, Math.round((steps * quarter) / 4)).then(() => postgres.walBytes()),
  );
  await contender.start(run);
  const wal = await Promise.all(marks);
  await contender.ended(run);
  const [walAfter, sizeAfter] = [await postgres.walBytes(), await sizeOf(stage, contender)];
  const cpu = cpuSince(cpuBefore, cpuOf(contender.roles()));
  const history = contender.workflowId ? await historyOf(temporal, contender.workflowId(run)) : undefined;
  return {
    contender: contender.name,
    steps,
    stepMs: calls.stepMs(run.key, steps),
    cpuMs: Object.fromEntries(Object.entries(cpu).map(([role, ms]) => [role, ms / steps])),
    walBytes: walAfter - walBefore,
    walQuarters: [between(wal, 0, steps), between(wal, 2, steps)],
    ...(sizeAfter === undefined ? {} : { databaseBytes: sizeAfter - (sizeBefore ?? 0) }),
    ...(history === undefined ? {} : { history }),
  };
}

const between = (marks: readonly number[], from: number, steps: number): number =>
  ((marks[from + 1] ?? 0) - (marks[from] ?? 0)) / (steps / 4);

const sizeOf = async ({ postgres }: Stage, { database }: Contender): Promise<number | undefined> =>
  database === undefined ? undefined : postgres.databaseBytes(database);
