// longhaul events: the log of a run as it stands.
import type { Command } from 'commander';
import { wholeNumber } from '../arguments.js';
import { type Attach, pathOf } from '../cli.js';
import { RunHistory, eventLine } from '../render/events.js';
import { eventAnswer, stepAnswer } from '../shapes.js';

interface Options {
  after?: number;
  types?: string;
  limit: number;
}

export function addEvents(program: Command, attach: Attach): void {
  const command = program
    .command('events')
    .description('show every event of a run, numbered')
    .argument('<run>')
    .option('--after <seq>', 'only events after this number', wholeNumber)
    .option('--types <list>', 'only these types, with commas between them')
    .option('--limit <n>', 'at most so many', wholeNumber, 10_000)
    .addHelpText('after', '\nExample:\n  $ longhaul events run_01J… --types tool.started,tool.returned');
  attach<Options>(command, async (cli, [id = ''], { after, types, limit }) => {
    const { rows, more } = await cli.client.list(pathOf`/v1/runs/${id}/events`, eventAnswer, {
      query: { after, types },
      limit,
    });
    if (cli.json) return rows.forEach((row) => cli.printJson(row));
    const history = new RunHistory();
    const steps = await cli.client.list(pathOf`/v1/runs/${id}/steps`, stepAnswer, { limit: Infinity });
    for (const step of steps.rows) history.addStep(step);
    for (const event of rows) {
      history.take(event);
      const line = eventLine(event, history, { style: cli.style, verbose: true }) ?? event.type;
      cli.io.out(`${cli.style.dim(String(event.seq).padStart(5))}  ${line.replaceAll('\n', '\n       ')}\n`);
    }
    if (more) cli.io.err(`There are more. --after ${rows.at(-1)?.seq} shows the next ones.\n`);
  });
}
