// The table: a row for each process and kind of point.
import { type Row, textTable } from '../report/table.js';
import type { Outcome } from './matrix.js';
import { kindOf } from './points.js';

export const head: Row = ['killed', 'where', 'kills', 'go on after, s: median', 'longest'];

export function rows(outcomes: readonly Outcome[]): Row[] {
  return outcomes.flatMap(({ victim, hits }) => {
    const kinds = new Map<string, number[]>();
    for (const { point, commit, goOnMs } of hits) {
      const kind = kindOf(point.kind === 'commit' ? { ...point, key: commit } : point);
      kinds.set(kind, [...(kinds.get(kind) ?? []), goOnMs / 1000]);
    }
    return [...kinds]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([kind, times]) => {
        const known = times.filter((t) => !Number.isNaN(t)).toSorted((a, b) => a - b);
        const median = known[Math.floor(known.length / 2)];
        return [victim, kind, String(times.length), median?.toFixed(1) ?? '', known.at(-1)?.toFixed(1) ?? ''];
      });
  });
}

export const sumHead: Row = ['killed', 'points', 'met', 'kills', 'duplicates and losses', 'unknown, as it has to be'];

export const sums = (outcomes: readonly Outcome[]): Row[] =>
  outcomes.map((o) => [o.victim, o.points, o.met, o.hits.length, o.differences.length, o.unknown].map(String));

export const table = (outcomes: readonly Outcome[]): string =>
  `${textTable(head, rows(outcomes))}\n\n${textTable(sumHead, sums(outcomes))}`;

/** Met everything, and found nothing. */
export const isClean = (outcomes: readonly Outcome[]): boolean =>
  outcomes.every((o) => o.differences.length === 0 && o.met === o.points);
