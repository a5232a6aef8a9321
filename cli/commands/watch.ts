// longhaul watch: the log of a run so far, then live.
import type { Command } from 'commander';
import { wholeNumber } from '../arguments.js';
import type { Attach } from '../cli.js';
import { type WatchOptions, watchRun } from '../watchRun.js';

export function addWatch(program: Command, attach: Attach): void {
  const command = program
    .command('watch')
    .description('show what a run did and does, to its end; Ctrl-C leaves it running')
    .argument('<run>', 'such as run_01J…')
    .option('--after <seq>', 'only events after this number', wholeNumber)
    .option('--deltas', 'with --json: also the pieces of a reply while it is being written')
    .option('-v, --verbose', 'every event')
    .addHelpText(
      'after',
      `
Examples:
  $ longhaul watch run_01J…
  $ longhaul watch run_01J… --json | jq 'select(.type == "tool.returned")'`,
    );
  attach<WatchOptions>(command, (cli, [id = ''], options) => watchRun(cli, id, options));
}
