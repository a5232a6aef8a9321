// longhaul cancel: ends a run for good.
import type { Command } from 'commander';
import type { Attach } from '../cli.js';
import { steer } from '../control.js';

export function addCancel(program: Command, attach: Attach): void {
  const command = program
    .command('cancel')
    .description('end a run: calls in flight are stopped, and what became of them is recorded')
    .argument('<run>')
    .option('--reason <text>', 'kept in the log');
  attach<{ reason?: string }>(command, (cli, [id = ''], { reason }) =>
    steer(cli, id, 'cancel', reason === undefined ? undefined : { reason }),
  );
}
