// The picture: what durability adds to a step, in milliseconds, as bars by contender and length of run. Readable on
// light and dark ground, with nothing but SVG.
import type { Report } from './report.js';
import { lengthsOf, medianOf, sameShape } from './shape.js';

interface Bar {
  title: string;
  /** Of it, what the bare loop of the same shape takes. */
  temporal: number;
  own: number;
}

const WIDTH = 860;
const LEFT = 300;
const BAR = 16;
const GAP = 8;
const PLOT = WIDTH - LEFT - 90;

const STYLE = `
  text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #24292f }
  .title { font-weight: 600; font-size: 15px } .quiet { fill: #57606a } .number { font-variant-numeric: tabular-nums }
  .own { fill: #0969da } .temporal { fill: #8c959f } .grid { stroke: #d0d7de }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .quiet { fill: #8b949e } .own { fill: #58a6ff } .temporal { fill: #6e7681 }
    .grid { stroke: #30363d }
  }`;

export function chartOf({ contenders, results, machine, date }: Report): string {
  const samples = results.steps?.samples ?? [];
  const lengths = lengthsOf(samples);
  const bare = sameShape(samples);
  const over = (name: (typeof contenders)[number]['name'], steps: number): number =>
    (medianOf(samples, name, steps, (s) => s.stepMs) ?? 0) - (medianOf(samples, 'plain', steps, (s) => s.stepMs) ?? 0);
  const barOf = ({ name, title, isEmpty }: (typeof contenders)[number], steps: number): Bar => {
    if (isEmpty) return { title, temporal: medianOf(samples, name, steps, (s) => s.stepMs) ?? 0, own: 0 };
    const all = Math.max(0, over(name, steps));
    const empty = name === 'transcript' ? 'bare' : bare;
    const onTemporal = name === 'longhaul' || name === 'transcript';
    const temporal = onTemporal ? Math.min(all, medianOf(samples, empty, steps, (s) => s.stepMs) ?? 0) : 0;
    return { title, temporal, own: all - temporal };
  };
  const shown = contenders.filter((c) => c.name !== 'plain');
  const groups = lengths.map((steps) => ({ steps, bars: shown.map((c) => barOf(c, steps)) }));
  const most = Math.max(1, ...groups.flatMap(({ bars }) => bars.map((bar) => bar.temporal + bar.own)));
  const scale = PLOT / most;
  const parts: string[] = [];
  let y = 62;
  for (const { steps, bars } of groups) {
    parts.push(`<text x="16" y="${y + 4}" class="quiet">runs of ${steps} steps</text>`);
    y += 16;
    for (const bar of bars) {
      parts.push(barSvg(bar, y, scale));
      y += BAR + GAP;
    }
    y += 14;
  }
  const height = y + 34;
  const caption = `${machine.cores} cores, PostgreSQL ${machine.postgres} with fsync, Temporal ${machine.temporal}; ${date.slice(0, 10)}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="Milliseconds that durability adds to a step">
<style>${STYLE}
</style>
<text x="16" y="26" class="title">What durability adds to a step of an agent, in milliseconds (less is better)</text>
${legend(16, 44)}
${parts.join('\n')}
<line x1="${LEFT}" y1="56" x2="${LEFT}" y2="${y - 8}" class="grid"/>
<text x="16" y="${y + 16}" class="quiet">${escape(caption)}</text>
</svg>
`;
}

const legend = (x: number, y: number): string =>
  `<rect x="${x + LEFT - 16}" y="${y - 10}" width="11" height="11" class="temporal"/><text x="${x + LEFT}" y="${y}" class="quiet">Temporal itself, with empty activities</text>` +
  `<rect x="${x + LEFT + 244}" y="${y - 10}" width="11" height="11" class="own"/><text x="${x + LEFT + 260}" y="${y}" class="quiet">the rest</text>`;

function barSvg({ title, temporal, own }: Bar, y: number, scale: number): string {
  const [first, second] = [temporal * scale, own * scale];
  const rect = (x: number, width: number, kind: string): string =>
    width < 0.5
      ? ''
      : `<rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" class="${kind}"/>`;
  return (
    `<text x="${LEFT - 10}" y="${y + 12.5}" text-anchor="end">${escape(title)}</text>` +
    rect(LEFT, first, 'temporal') +
    rect(LEFT + first, second, 'own') +
    `<text x="${(LEFT + first + second + 8).toFixed(1)}" y="${y + 12.5}" class="number">${(temporal + own).toFixed(1)}</text>`
  );
}

const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
