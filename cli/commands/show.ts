// longhaul show: one run with its limits and its output.
import type { Command } from 'commander';
import type { Attach } from '../cli.js';
import { readRun } from '../readRun.js';
import { advice, runDetails } from '../render/run.js';
import { harmless } from '../render/style.js';

export function addShow(program: Command, attach: Attach): void {
  const command = program.command('show').description('show a run').argument('<run>');
  attach(command, async (cli, [id = '']) => {
    const run = await readRun(cli, id);
    if (cli.json) return cli.printJson(run);
    cli.io.out(runDetails(run, cli.style));
    const more = advice(run);
    if (more !== undefined) cli.io.out(`\n${more}\n`);
    if (run.output !== undefined) cli.io.out(`\n${harmless(run.output.text)}\n`);
  });
}
