// The tables: one row for each kind of point, and one for each process.
import { type Row, markdownTable, textTable } from '../report/table.js';
import type { Kill, MatrixResult, VictimResult } from './matrix.js';
import type { Victim } from './world.js';

type Count = 'twice' | 'lost' | 'unknown' | 'repeated';

/** `lost` counts everything that is different and not there twice. */
const COUNTS: readonly [Count, string][] = [
  ['twice', 'twice'],
  ['lost', 'lost'],
  ['unknown', 'unknown'],
  ['repeated', 'asked again'],
];

const countsOf = (kills: readonly Kill[]): string[] =>
  COUNTS.map(([what]) => String(kills.reduce((n, kill) => n + kill[what], 0)));

const seconds = (ms: number): string => (ms / 1000).toFixed(1);

/** Median and longest. */
function timesOf(kills: readonly Kill[]): string {
  const times = kills.flatMap((kill) => kill.goOnMs ?? []).toSorted((a, b) => a - b);
  const [median, longest] = [times[Math.floor(times.length / 2)], times.at(-1)];
  return median === undefined || longest === undefined ? '–' : `${seconds(median)} / ${seconds(longest)}`;
}

/** In the order in which a run comes to them. */
function kindRows({ victims }: MatrixResult): Row[] {
  const kinds = new Map<string, Kill[]>();
  const kills = victims.flatMap((victim) => victim.kills);
  for (const kill of kills.toSorted((a, b) => a.point.n - b.point.n)) {
    kinds.set(kill.point.kind, [...(kinds.get(kill.point.kind) ?? []), kill]);
  }
  return [...kinds].map(([kind, of]) => [
    kind,
    String(of.length),
    ...countsOf(of),
    ...victims.map(({ victim }) => timesOf(of.filter((kill) => kill.victim === victim))),
  ]);
}

const number = (n: number): string => n.toLocaleString('en');

const victimRow = (all: number, { victim, points, missed, runs, kills, seconds: took }: VictimResult): Row => [
  victim,
  `${number(points)} of ${number(all)}`,
  ...[points - missed.length, runs].map(number),
  ...countsOf(kills),
  timesOf(kills),
  `${Math.round(took / 60)} min`,
];

export function tables(result: MatrixResult, format: 'text' | 'markdown'): string {
  const table = format === 'text' ? textTable : markdownTable;
  const { victims, points } = result;
  const counts = COUNTS.map(([, name]) => name);
  const byKind = table(
    ['killed', 'kills', ...counts, ...victims.map(({ victim }) => `${victim}: s to go on`)],
    kindRows(result),
  );
  const byVictim = table(
    ['victim', 'points', 'met', 'runs', ...counts, 's to go on', 'took'],
    victims.map((victim) => victimRow(points, victim)),
  );
  return `${byVictim}\n\n${byKind}`;
}

/** The tables with what they were made by. `victims`: those that were asked for. */
export function markdown(
  result: MatrixResult,
  { machine, args, victims }: { machine: string; args: readonly string[]; victims: readonly Victim[] },
): string {
  const { steps, events, points, twinSeconds } = result;
  const found = findings(result);
  const missing = victims.filter((name) => !result.victims.some(({ victim }) => victim === name));
  const early =
    missing.length === 0 ? '' : `\nIt was ended before these were killed at every point: ${missing.join(', ')}.\n`;
  return `# Crash matrix: the last published run

Made by \`npm run crash-matrix${args.length > 0 ? ` -- ${args.join(' ')}` : ''}\` on ${machine}.

The run has ${steps} steps that call tools, ${number(events)} events, ${number(points)} points where a process can be killed, and takes
${twinSeconds.toFixed(1)} s when nobody disturbs it. How to read the tables: [../crash-matrix.md](../crash-matrix.md).
${early}
${tables(result, 'markdown')}

${found.length === 0 ? 'Nothing was found.' : found.map((text) => `- ${text}`).join('\n')}
`;
}

/** Each difference with the kill before it, and each point that was not met. */
export const findings = ({ victims }: MatrixResult): string[] =>
  victims.flatMap(({ victim, differences, missed }) => [
    ...differences.map((d) => `${victim} killed at ${d.after}; ${d.agentRunId}, step ${d.step}, ${d.kind}: ${d.text}`),
    ...missed.map((p) => `${victim} was not killed at point ${p.n}, step ${p.step}, ${p.kind}: no run came there`),
  ]);

/** Met everything, and found nothing. */
export const isClean = (result: MatrixResult): boolean => findings(result).length === 0;
