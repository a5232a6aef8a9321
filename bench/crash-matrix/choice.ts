// Which of a run's points are asked for.
import { type Point, oneOfEachKind } from './points.js';

/** All; one of each kind; so many along the whole run, with each kind among them; or those with these numbers. */
export type Choice = 'every' | 'kinds' | { sample: number } | { from: number; to: number };

export const HINT = 'every, kinds, sample:N, or numbers such as 12..40';

/** undefined: not understood. */
export function readChoice(text: string): Choice | undefined {
  if (text === 'every' || text === 'kinds') return text;
  const [, sample] = /^sample:(\d+)$/.exec(text) ?? [];
  if (sample !== undefined) return Number(sample) > 0 ? { sample: Number(sample) } : undefined;
  const [, from, to] = /^(\d+)(?:\.\.(\d+))?$/.exec(text) ?? [];
  const range = { from: Number(from), to: Number(to ?? from) };
  return range.from >= 1 && range.to >= range.from ? range : undefined;
}

/** Is each point met in a run of its own? To look closer at it. */
export const isAlone = (choice: Choice): boolean => typeof choice === 'object' && 'from' in choice;

export function choose(points: readonly Point[], choice: Choice): Point[] {
  if (choice === 'every') return [...points];
  if (choice === 'kinds') return oneOfEachKind(points);
  if ('sample' in choice) return sampleOf(points, choice.sample);
  const chosen = points.filter(({ n }) => n >= choice.from && n <= choice.to);
  if (chosen.length > 0) return chosen;
  throw new Error(`There are ${points.length} points; --points ${choice.from}..${choice.to} names none of them.`);
}

/** The same ones every time. */
function sampleOf(points: readonly Point[], size: number): Point[] {
  const kinds = oneOfEachKind(points);
  if (size < kinds.length) {
    throw new Error(`--points sample:${size} is too few: there are ${kinds.length} kinds of points.`);
  }
  const others = points.filter((point) => !kinds.includes(point));
  const more = Math.min(size - kinds.length, others.length);
  const between = Array.from({ length: more }, (_, i) => others[Math.floor((i * others.length) / more)] as Point);
  return [...kinds, ...between].toSorted((a, b) => a.n - b.n);
}
