// Aligned columns, cut to the terminal's width where one of them may give way.
import { type Style, fit, harmless, widthOf } from './style.js';

export interface Column<Row> {
  title: string;
  value(row: Row): string;
  align?: 'left' | 'right';
  /** Gives way when the line is too long; the widest flexible column first. */
  flexible?: boolean;
  paint?(text: string, row: Row): string;
}

const GAP = '  ';
const MIN_FLEXIBLE = 8;

export function table<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  { width, style }: { width: number; style: Style },
): string {
  const cells = rows.map((row) => columns.map((column) => harmless(column.value(row).replaceAll('\n', ' '))));
  const widths = columns.map((column, i) =>
    Math.max(widthOf(column.title), ...cells.map((line) => widthOf(line[i] ?? ''))),
  );
  shrink(widths, columns, width);
  const line = (texts: readonly string[], paint: (text: string, i: number) => string): string =>
    texts
      .map((text, i) => {
        const cut = fit(text, widths[i] ?? 0);
        const space = ' '.repeat(Math.max(0, (widths[i] ?? 0) - widthOf(cut)));
        const painted = paint(cut, i);
        return columns[i]?.align === 'right' ? space + painted : painted + space;
      })
      .join(GAP)
      .trimEnd();
  const head = line(
    columns.map((c) => c.title),
    (text) => style.dim(text),
  );
  const body = cells.map((texts, r) =>
    line(texts, (text, i) => {
      const row = rows[r];
      return row === undefined ? text : (columns[i]?.paint?.(text, row) ?? text);
    }),
  );
  return `${[head, ...body].join('\n')}\n`;
}

function shrink<Row>(widths: number[], columns: readonly Column<Row>[], width: number): void {
  const total = (): number => widths.reduce((sum, w) => sum + w, 0) + GAP.length * (widths.length - 1);
  while (total() > width) {
    let widest = -1;
    for (const [i, column] of columns.entries()) {
      if (column.flexible && (widths[i] ?? 0) > Math.max(MIN_FLEXIBLE, widths[widest] ?? 0)) widest = i;
    }
    if (widest < 0) return;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
}
