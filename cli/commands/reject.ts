// longhaul reject: the call does not run, and the model is told so.
import type { Command } from 'commander';
import type { Attach } from '../cli.js';
import { decideLike } from '../decideLike.js';
import { decide, otherCommand, readApproval, showApproval, showDecided } from '../decide.js';
import { UsageError } from '../errors.js';

export function addReject(program: Command, attach: Attach): void {
  const command = program
    .command('reject')
    .description('refuse a call that waits; the model is told')
    .argument('<approval>', 'its code or its id')
    .option('--message <text>', 'why, for the model')
    .option('--all-like', 'this one and all that wait with the same agent, tool and rule')
    .addHelpText('after', '\nExample:\n  $ longhaul reject apr_… --message "Ask the customer for a photo first."');
  attach<{ message?: string; allLike?: boolean }>(command, async (cli, [id = ''], { message, allLike }) => {
    if (allLike) return decideLike(cli, id, { decision: 'reject', message, yes: true });
    const approval = await readApproval(cli, id);
    if (approval.kind === 'outcome') throw new UsageError(otherCommand(approval));
    showApproval(cli, approval);
    const decided = await decide(cli, approval, { decision: 'reject', ...(message === undefined ? {} : { message }) });
    showDecided(cli, decided);
    return 0;
  });
}
