// longhaul list: runs, newest first.
import type { Command } from 'commander';
import type { Run } from '../../contracts/agentRun.js';
import { pairs, wholeNumber } from '../arguments.js';
import { type Attach, collect } from '../cli.js';
import { age, usd } from '../render/format.js';
import { paintStatus, why } from '../render/run.js';
import { type Column, table } from '../render/table.js';
import { runAnswer } from '../shapes.js';

interface Options {
  status?: string;
  agent?: string;
  metadata?: string[];
  limit: number;
  all?: boolean;
}

export function addList(program: Command, attach: Attach): void {
  const command = program
    .command('list')
    .description('list runs, newest first')
    .option('--status <status>', 'queued, running, waiting, paused, completed, stopped, failed or cancelled')
    .option('--agent <name>', 'of this agent')
    .option('--metadata <name=value>', 'with this metadata; may be repeated', collect)
    .option('--limit <n>', 'at most so many', wholeNumber, 20)
    .option('--all', 'all of them')
    .addHelpText('after', '\nExample:\n  $ longhaul list --status waiting');
  attach<Options>(command, async (cli, _args, { status, agent, metadata = [], limit, all }) => {
    const filters = Object.entries(pairs(metadata, '--metadata')).map(([name, value]) => [`metadata.${name}`, value]);
    const { rows, more } = await cli.client.list('/v1/runs', runAnswer, {
      query: { status, agent, ...Object.fromEntries(filters) },
      limit: all ? Infinity : limit,
    });
    if (cli.json) return rows.forEach((row) => cli.printJson(row));
    if (rows.length === 0) return cli.io.out('There are no such runs.\n');
    const columns: Column<Run>[] = [
      { title: 'RUN', value: (r) => r.id },
      { title: 'AGENT', value: (r) => r.agent, flexible: true },
      {
        title: 'STATUS',
        value: (r) => r.status,
        paint: (text, r) => text.replace(r.status, paintStatus(r.status, cli.style)),
      },
      { title: 'STEPS', value: (r) => String(r.steps), align: 'right' },
      { title: 'COST', value: (r) => usd(r.costUsd), align: 'right' },
      { title: 'AGE', value: (r) => age(r.createdAt), align: 'right' },
      ...(rows.some((r) => why(r) !== undefined)
        ? [{ title: 'WHY', value: (r: Run) => why(r) ?? '', flexible: true }]
        : []),
    ];
    cli.io.out(table(rows, columns, { width: cli.io.columns(), style: cli.style }));
    if (more) cli.io.err(`There are more. --limit or --all shows them.\n`);
  });
}
