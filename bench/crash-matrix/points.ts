// Where a run can be killed: at the commits of its event log, and inside its calls to the outside.
import type { RunEvent } from '../../contracts/events.js';
import type { HoldPoint } from '../../embedded/scriptedModel/script.js';
import type { Scenario } from './scenario.js';

export type Point =
  /** Right after the commit whose last event is this; `index`: its place in an undisturbed run. */
  | { kind: 'commit'; step: number; key: string; index: number }
  | { kind: 'model'; step: number; at: HoldPoint }
  | { kind: 'tool'; step: number; what: string; tool: string; when: 'before' | 'after' };

export const nameOf = (point: Point): string => `step ${point.step} ${kindOf(point)}`;

/** What is the same in every step. */
export function kindOf(point: Point): string {
  switch (point.kind) {
    case 'commit':
      return `after ${point.key.replace(/^\d+ /, '').replace(/#\d+$/, '')}`;
    case 'model':
      return `in model call, ${HOLD_TEXT[point.at]}`;
    case 'tool':
      return `in ${point.tool}, ${point.when} its effect`;
  }
}

const HOLD_TEXT: Record<HoldPoint, string> = {
  before: 'before the reply',
  afterFirstDelta: 'in the middle of the reply',
  beforeStop: 'before its last byte',
};

/** A transaction that wrote events: known in every run by the last of them, whatever the attempt. */
export interface Commit {
  key: string;
  step: number;
}

/** `ends`: numbers of the events that were the last of their transaction. */
export function commitsOf(events: readonly RunEvent[], ends: ReadonlySet<number>): Commit[] {
  const keys = keysOf(events);
  return keys.filter((_, i) => ends.has((events[i] as RunEvent).seq));
}

/** Of the last commit. */
export const lastKeyOf = (events: readonly RunEvent[]): string => keysOf(events).at(-1)?.key ?? '';

function keysOf(events: readonly RunEvent[]): Commit[] {
  const callName = callNames(events);
  let step = 1;
  return events.map((event) => {
    step = event.step ?? step;
    return { key: `${step} ${event.type} ${callName(event)}`.trimEnd(), step };
  });
}

/** Calls are named by tool and place, as their ids differ from run to run. */
export function callNames(events: readonly RunEvent[]): (event: RunEvent) => string {
  const names = new Map<string, string>();
  const seen = new Map<string, number>();
  for (const event of events) {
    if (event.type !== 'tool.decided' || event.toolCallId === undefined) continue;
    const tool = `${event.step} ${String(event.data['tool'])}`;
    const place = seen.get(tool) ?? 0;
    seen.set(tool, place + 1);
    names.set(event.toolCallId, `${String(event.data['tool'])}#${place}`);
  }
  return (event) => names.get(event.toolCallId ?? '') ?? '';
}

const HOLDS: readonly HoldPoint[] = ['before', 'afterFirstDelta', 'beforeStop'];

/** Every point of the run, by the commits of an undisturbed one. */
export function allPoints(scenario: Scenario, commits: readonly Commit[]): Point[] {
  const points: Point[] = commits
    // After the last commit there is nothing left to lose.
    .slice(0, -1)
    .map(({ key, step }, index) => ({ kind: 'commit', step, key, index }));
  for (const [i, calls] of [...scenario.steps, []].entries()) {
    const step = i + 1;
    for (const at of HOLDS) points.push({ kind: 'model', step, at });
    for (const { tool, what } of calls) {
      for (const when of ['before', 'after'] as const) points.push({ kind: 'tool', step, what, tool, when });
    }
  }
  return points;
}

/** One of each kind. */
export function oneOfEachKind(points: readonly Point[]): Point[] {
  const kinds = new Map<string, Point>();
  for (const point of points) if (!kinds.has(kindOf(point))) kinds.set(kindOf(point), point);
  return [...kinds.values()];
}

/** At most one a step, and none in the step after, so that each kill meets a run that has recovered. */
export function planRun(open: readonly Point[]): Point[] {
  const bySteps = new Map<number, Point[]>();
  for (const point of open) bySteps.set(point.step, [...(bySteps.get(point.step) ?? []), point]);
  const plan: Point[] = [];
  for (const [step, points] of [...bySteps].toSorted(([a], [b]) => a - b)) {
    if (plan.at(-1)?.step === step - 1) continue;
    plan.push(points[Math.floor(Math.random() * points.length)] as Point);
  }
  return plan;
}
