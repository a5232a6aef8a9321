// longhaul respond: answers a question of the model, or gives a call's result in its place.
import type { Command } from 'commander';
import type { Attach } from '../cli.js';
import { decide, otherCommand, readApproval, showDecided } from '../decide.js';
import { UsageError } from '../errors.js';

export function addRespond(program: Command, attach: Attach): void {
  const command = program
    .command('respond')
    .description('answer a question; of a call, give its result instead of running it')
    .argument('<approval>')
    .argument('<message...>', 'the answer, for the model')
    .addHelpText('after', '\nExample:\n  $ longhaul respond apr_… "Use the billing address."');
  attach(command, async (cli, [id = '', ...words]) => {
    const approval = await readApproval(cli, id);
    if (approval.kind === 'outcome') throw new UsageError(otherCommand(approval));
    showDecided(cli, await decide(cli, approval, { decision: 'respond', message: words.join(' ') }));
  });
}
