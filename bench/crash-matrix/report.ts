// The tables: one row for each process and kind of point, and one for each process.
import { type Row, markdownTable, textTable } from '../report/table.js';
import type { Kill, MatrixResult, VictimResult } from './matrix.js';

const HEAD: Row = ['killed', 'where', 'kills', 'twice', 'lost', 'unknown', 'asked again', 's to go on', 'longest'];
const SUM_HEAD: Row = [
  'killed',
  'points',
  'met',
  'runs',
  'twice',
  'lost',
  'unknown',
  'asked again',
  's to go on',
  'took',
];

const sum = (kills: readonly Kill[], what: 'twice' | 'lost' | 'unknown' | 'repeated'): string =>
  String(kills.reduce((n, kill) => n + kill[what], 0));

const seconds = (ms: number | undefined): string => (ms === undefined ? '–' : (ms / 1000).toFixed(1));

const timesOf = (kills: readonly Kill[]): number[] =>
  kills.flatMap((kill) => kill.goOnMs ?? []).toSorted((a, b) => a - b);
const median = (sorted: readonly number[]): number | undefined => sorted[Math.floor(sorted.length / 2)];

const counts = (kills: readonly Kill[]): string[] =>
  (['twice', 'lost', 'unknown', 'repeated'] as const).map((what) => sum(kills, what));

function kindRows({ victim, kills }: VictimResult): Row[] {
  const kinds = new Map<string, Kill[]>();
  // In the order in which a run comes to them.
  for (const kill of kills.toSorted((a, b) => a.point.n - b.point.n)) {
    kinds.set(kill.point.kind, [...(kinds.get(kill.point.kind) ?? []), kill]);
  }
  return [...kinds].map(([kind, of]) => {
    const times = timesOf(of);
    return [victim, kind, `${of.length}`, ...counts(of), seconds(median(times)), seconds(times.at(-1))];
  });
}

const sumRow = ({ victim, points, missed, runs, kills, seconds: took }: VictimResult): Row => [
  victim,
  ...[points, points - missed.length, runs].map(String),
  ...counts(kills),
  seconds(median(timesOf(kills))),
  `${Math.round(took)} s`,
];

export function tables({ victims }: MatrixResult, format: 'text' | 'markdown'): string {
  const table = format === 'text' ? textTable : markdownTable;
  return `${table(HEAD, victims.flatMap(kindRows))}\n\n${table(SUM_HEAD, victims.map(sumRow))}`;
}

/** Each difference with the kill before it, and each point that was not met. */
export const findings = ({ victims }: MatrixResult): string[] =>
  victims.flatMap(({ victim, differences, missed }) => [
    ...differences.map((d) => `${victim} killed at ${d.after}; ${d.agentRunId}, step ${d.step}, ${d.kind}: ${d.text}`),
    ...missed.map((p) => `${victim} was not killed at point ${p.n}, step ${p.step}, ${p.kind}: no run came there`),
  ]);

/** Met everything, and found nothing. */
export const isClean = (result: MatrixResult): boolean => findings(result).length === 0;
