// longhaul resume: goes on with a paused, stopped or failed run, with limits raised if asked.
import type { Command } from 'commander';
import { limitsOf } from '../arguments.js';
import { type Attach, collect } from '../cli.js';
import { steer } from '../control.js';

export function addResume(program: Command, attach: Attach): void {
  const command = program
    .command('resume')
    .description('go on with a paused, stopped or failed run')
    .argument('<run>')
    .option('--limit <name=value>', 'a new limit; may be repeated', collect)
    .addHelpText('after', '\nExample:\n  $ longhaul resume run_01J… --limit maxSteps=200 --limit maxCostUsd=2.00');
  attach<{ limit?: string[] }>(command, (cli, [id = ''], { limit = [] }) => {
    const limits = limitsOf(limit);
    return steer(cli, id, 'resume', limits && { limits });
  });
}
