// Where a run can be killed: on both sides of every commit of its event log, and inside its calls to the outside.
import type { RunEvent } from '../../contracts/events.js';
import type { HoldPoint } from '../../embedded/scriptedModel/script.js';
import type { EventName } from './gates.js';

export type Place =
  /** `before`: the transaction has done everything but commit. `after`: it is committed and nobody has heard of it. */
  | { in: 'commit'; side: 'before' | 'after'; event: EventName }
  | { in: 'model'; turn: number; at: HoldPoint }
  | { in: 'tool'; toolCallId: string; when: 'before' | 'after' };

export interface Point {
  /** Counted along the run, from 1. */
  n: number;
  /** What is the same in every step. */
  kind: string;
  step: number;
  place: Place;
}

/** Of the undisturbed run: the events of one transaction after the other. */
export type Commit = readonly RunEvent[];

const MODEL_PLACES: readonly [HoldPoint, string][] = [
  ['before', 'in a model call, before the reply'],
  ['afterFirstDelta', 'in a model call, in the middle of the reply'],
  ['beforeStop', 'in a model call, before its last byte'],
];

/** Whatever events there are, they are in the plan: it is made of the log of a run that nobody disturbed. */
export function pointsOf(commits: readonly Commit[]): Point[] {
  const points: Point[] = [];
  const seen = new Map<string, number>();
  let step = 0;
  const add = (kind: string, place: Place): void => {
    points.push({ n: points.length + 1, kind, step, place });
  };
  for (const commit of commits) {
    const [first] = commit as [RunEvent, ...RunEvent[]];
    const event = nameOf(first, seen);
    for (const later of commit.slice(1)) nameOf(later, seen);
    step = commit.findLast((e) => e.step !== undefined)?.step ?? step;
    const tool = first.type.startsWith('model.') ? undefined : first.data['tool'];
    const what = [first.type, tool].filter(Boolean).join(' of ');
    for (const side of ['before', 'after'] as const)
      add(`${side} the commit of ${what}`, { in: 'commit', side, event });
    for (const e of commit) {
      if (e.type === 'model.requested') {
        for (const [at, kind] of MODEL_PLACES) add(kind, { in: 'model', turn: step - 1, at });
      }
      if (e.type !== 'tool.started' || e.toolCallId === undefined) continue;
      for (const when of ['before', 'after'] as const) {
        const { toolCallId } = e;
        add(`in ${String(e.data['tool'])}, ${when} its effect`, { in: 'tool', toolCallId, when });
      }
    }
  }
  return points;
}

function nameOf(event: RunEvent, seen: Map<string, number>): EventName {
  const name = { type: event.type, step: event.step ?? null, toolCallId: event.toolCallId ?? null };
  const key = JSON.stringify(name);
  const nth = (seen.get(key) ?? 0) + 1;
  seen.set(key, nth);
  return { ...name, nth };
}

/** One of each kind. */
export function oneOfEachKind(points: readonly Point[]): Point[] {
  const kinds = new Map<string, Point>();
  for (const point of points) if (!kinds.has(point.kind)) kinds.set(point.kind, point);
  return [...kinds.values()];
}

/**
 * Shares the points out among runs, each in the order in which its run comes to them. No run is killed twice in one
 * step: it has gone on in between.
 */
export function shareOut(points: readonly Point[], alone: boolean): Point[][] {
  if (alone) return points.map((point) => [point]);
  const bySteps = new Map<number, number>();
  for (const { step } of points) bySteps.set(step, (bySteps.get(step) ?? 0) + 1);
  const runs = Math.max(0, ...bySteps.values());
  return Array.from({ length: runs }, (_, run) => points.filter((__, i) => i % runs === run));
}
