// longhaul housekeeping: what the sweeps do and what they found last.
import type { Command } from 'commander';
import type { z } from 'zod';
import type { Attach, Cli } from '../cli.js';
import { age } from '../render/format.js';
import { oneLine } from '../render/style.js';
import { type Column, table } from '../render/table.js';
import { pageOf, sweepAnswer } from '../shapes.js';

type SweepAnswer = z.infer<typeof sweepAnswer>;

export function addHousekeeping(program: Command, attach: Attach): void {
  const command = program
    .command('housekeeping')
    .description('show what housekeeping does, when it last did, and what it found')
    .addHelpText('after', '\nSweeps run by themselves, in every API and worker process. Needs the role admin.');
  attach(command, async (cli) => {
    const { data } = await cli.client.get('/v1/housekeeping', pageOf(sweepAnswer));
    if (cli.json) return data.forEach((row) => cli.printJson(row));
    cli.io.out(table(data, columns(cli), { width: cli.io.columns(), style: cli.style }));
    for (const sweep of data) cli.io.out(more(sweep, cli));
  });
}

const columns = ({ style }: Cli): Column<SweepAnswer>[] => [
  { title: 'SWEEP', value: (s) => s.name },
  { title: 'HOST', value: (s) => s.host ?? '' },
  { title: 'LAST RUN', value: (s) => (s.lastRunAt === undefined ? 'not yet' : `${age(s.lastRunAt)} ago`) },
  {
    title: 'STATE',
    value: (s) => (s.error === undefined ? 'ok' : 'failed'),
    paint: (text, s) => (s.error === undefined ? style.green(text) : style.red(text)),
  },
  {
    title: 'LAST FOUND',
    value: ({ lastFound: f }) => (f === undefined ? 'nothing' : `${f.count}, ${age(f.at)} ago`),
  },
  { title: 'WHAT IT DOES', value: (s) => s.what, flexible: true },
];

/** Why it failed, and the first things that it found last. */
function more({ name, error, lastFound }: SweepAnswer, { style }: Cli): string {
  const lines = [
    ...(error === undefined ? [] : [style.red(oneLine(error))]),
    ...(lastFound?.findings ?? []).slice(0, 5).map(oneLine),
  ];
  return lines.length === 0 ? '' : `\n${style.bold(name)}\n${lines.map((line) => `  ${line}\n`).join('')}`;
}
