// The figures to reach as rows of a table.
import { type Figure, isReached } from './figures.js';
import type { Row } from './table.js';

export const figuresHead: Row = ['figure', 'measured', 'goal', 'reached', 'note'];

export const figuresRows = (figures: readonly Figure[]): Row[] =>
  figures.map((figure) => [figure.name, measured(figure), goal(figure), reached(figure), figure.note]);

function measured({ value, unit }: Figure): string {
  if (value === undefined) return 'not measured';
  return `${value.toFixed(unit === '' ? 0 : Math.abs(value) < 10 ? 2 : 1)} ${unit}`.trim();
}

function goal({ goal: limit, within, unit }: Figure): string {
  if (within !== undefined) return `${limit} ± ${within} ${unit}`.trim();
  return `${limit === 0 ? '' : '≤ '}${limit} ${unit}`.trim();
}

function reached(figure: Figure): string {
  const is = isReached(figure);
  return is === undefined ? '' : is ? 'yes' : 'no';
}
