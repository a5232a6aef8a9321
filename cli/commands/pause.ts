// longhaul pause: at the next step boundary.
import type { Command } from 'commander';
import type { Attach } from '../cli.js';
import { steer } from '../control.js';

export function addPause(program: Command, attach: Attach): void {
  const command = program.command('pause').description('pause a run at its next step').argument('<run>');
  attach(command, (cli, [id = '']) => steer(cli, id, 'pause'));
}
