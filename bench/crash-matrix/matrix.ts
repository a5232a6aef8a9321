// The matrix: an undisturbed run, then runs that are killed until every point was met, each compared with the first.
import { type Difference, compare } from './compare.js';
import { type PassRun, runPass } from './pass.js';
import { type Choice, choose, isAlone } from './choice.js';
import { type Point, pointsOf, shareOut } from './points.js';
import { type RunRecord, commitsOf, recordOf } from './record.js';
import type { Victim, World } from './world.js';

export interface MatrixOptions {
  steps: number;
  victims: readonly Victim[];
  choice: Choice;
  say: (text: string) => void;
  /** Kills done, and how many there will be. */
  onKill?: (victim: Victim, kills: number, most: number) => void;
  /** After each process: all that is known so far. */
  onResult?: (soFar: MatrixResult) => void;
  signal: AbortSignal;
}

export interface Kill {
  victim: Victim;
  point: Point;
  agentRunId: string;
  /** Number of the last event at the time of death. */
  lastSeq: number;
  /** From the kill to the run's next event. undefined: there was none to come. */
  goOnMs: number | undefined;
  /** Of which the killed process was away. */
  awayMs: number;
  twice: number;
  /** Lost, or different in another way. */
  lost: number;
  unknown: number;
  repeated: number;
}

export interface Found extends Difference {
  victim: Victim;
  agentRunId: string;
  /** Number and kind of the last point at which the run was killed up to this step. */
  after: string;
}

export interface VictimResult {
  victim: Victim;
  /** Those that were asked for. */
  points: number;
  /** Points that were planned and not met. */
  missed: Point[];
  kills: Kill[];
  differences: Found[];
  runs: number;
  seconds: number;
}

export interface MatrixResult {
  steps: number;
  events: number;
  /** Of the undisturbed run. */
  twinSeconds: number;
  /** Where a process could be killed. */
  points: number;
  victims: VictimResult[];
}

/** Rounds for points that were not met the first time. */
const ROUNDS = 3;

export async function runMatrix(world: World, options: MatrixOptions): Promise<MatrixResult> {
  const { steps, say, signal } = options;
  const from = Date.now();
  const twin = await playTwin(world, options);
  const twinSeconds = (Date.now() - from) / 1000;
  const all = pointsOf(await commitsOf(world.pool, twin));
  const points = choose(all, options.choice);
  say(
    `undisturbed: ${twin.run.steps} steps, ${twin.events.length} events, ${twinSeconds.toFixed(1)} s; ` +
      `${all.length} points where a process can be killed, ${points.length} of them asked for`,
  );
  const result: MatrixResult = { steps, events: twin.events.length, twinSeconds, points: all.length, victims: [] };
  for (const victim of options.victims) {
    signal.throwIfAborted();
    result.victims.push(await killAt(world, options, twin, victim, points));
    options.onResult?.(result);
  }
  return result;
}

async function playTwin(world: World, { steps, signal }: MatrixOptions): Promise<RunRecord> {
  const nothing = { name: 'twin', steps, victim: 'worker', runs: [[]], onKill: () => undefined, signal } as const;
  const [run] = (await runPass(world, nothing)) as [PassRun];
  const twin = await recordOf(world, run.agent, run.agentRunId);
  // Compared with itself: what is wrong without a kill would be taken for right ever after.
  const { differences } = compare(twin, twin, run);
  if (twin.run.status === 'completed' && differences.length === 0) return twin;
  throw new Error(`the undisturbed run is ${twin.run.status}: ${differences.map((d) => d.text).join('; ')}`);
}

async function killAt(
  world: World,
  { steps, choice, say, onKill, signal }: MatrixOptions,
  twin: RunRecord,
  victim: Victim,
  points: readonly Point[],
): Promise<VictimResult> {
  const from = Date.now();
  const result: VictimResult = {
    victim,
    points: points.length,
    missed: [],
    kills: [],
    differences: [],
    runs: 0,
    seconds: 0,
  };
  let missed = [...points];
  for (let round = 1; round <= ROUNDS && missed.length > 0; round++) {
    const passes = passesOf(missed, isAlone(choice) || round > 1);
    for (const [i, runs] of passes.entries()) {
      const name = `${victim}-${round}-${i + 1}`;
      const done = passes.slice(0, i).reduce((sum, of) => sum + longest(of), 0);
      const most = passes.reduce((sum, of) => sum + longest(of), 0);
      const played = await runPass(world, {
        ...{ name, steps, victim, runs, signal },
        onKill: (kills) => onKill?.(victim, done + kills, Math.max(most, done + kills)),
      });
      for (const run of played) await judge(world, twin, run, result);
    }
    const met = new Set(result.kills.map((kill) => kill.point.n));
    missed = points.filter(({ n }) => !met.has(n));
  }
  result.missed = missed;
  result.seconds = (Date.now() - from) / 1000;
  say(
    `${victim}: ${points.length - missed.length} of ${points.length} points met, ` +
      `${result.differences.length} differences, ${result.seconds.toFixed(0)} s`,
  );
  return result;
}

/** Runs in flight at a time when each is killed at one point only. */
const AT_ONCE = 16;

function passesOf(points: readonly Point[], alone: boolean): Point[][][] {
  const runs = shareOut(points, alone);
  const passes: Point[][][] = [];
  for (let i = 0; i < runs.length; i += alone ? AT_ONCE : runs.length) {
    passes.push(runs.slice(i, i + (alone ? AT_ONCE : runs.length)));
  }
  return passes;
}

const longest = (runs: readonly (readonly Point[])[]): number => Math.max(0, ...runs.map((points) => points.length));

async function judge(world: World, twin: RunRecord, run: PassRun, result: VictimResult): Promise<void> {
  result.runs += 1;
  const record = await recordOf(world, run.agent, run.agentRunId);
  const { differences, unknown, repeated } = compare(twin, record, run);
  const { victim } = result;
  const killsOf = run.hits.flatMap(({ point, at, awayMs, lastSeq, met }): Kill[] => {
    if (!point || !met) return [];
    const nextEvent = record.events.find((e) => e.seq > lastSeq && e.type !== 'worker.lost');
    const goOnMs = nextEvent && Math.max(0, Date.parse(nextEvent.at) - at);
    return [
      {
        victim,
        point,
        agentRunId: run.agentRunId,
        lastSeq,
        goOnMs,
        awayMs,
        twice: 0,
        lost: 0,
        unknown: 0,
        repeated: 0,
      },
    ];
  });
  // What happened in a step is put down to the last kill up to it.
  const causeOf = (step: number): Kill | undefined => killsOf.findLast((k) => k.point.step <= step) ?? killsOf[0];
  const count = (step: number, what: 'twice' | 'lost' | 'unknown' | 'repeated'): Kill | undefined => {
    const kill = causeOf(step);
    if (kill) kill[what] += 1;
    return kill;
  };
  for (const difference of differences) {
    const kill = count(difference.step, difference.kind === 'twice' ? 'twice' : 'lost');
    const after = kill ? `point ${kill.point.n}, step ${kill.point.step}, ${kill.point.kind}` : 'no kill at all';
    result.differences.push({ ...difference, victim, agentRunId: run.agentRunId, after });
  }
  for (const id of unknown) count(record.events.find((e) => e.toolCallId === id)?.step ?? 0, 'unknown');
  for (const step of repeated) count(step, 'repeated');
  result.kills.push(...killsOf);
}
