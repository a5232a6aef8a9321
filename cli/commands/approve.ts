// longhaul approve: shows the call, asks, and approves exactly what was shown, or edited arguments instead.
import type { Command } from 'commander';
import { decideLike } from '../decideLike.js';
import type { ApprovalAnswer } from '../shapes.js';
import { jsonObject } from '../arguments.js';
import type { Attach } from '../cli.js';
import { confirm, decide, otherCommand, readApproval, showApproval, showDecided } from '../decide.js';
import { UsageError } from '../errors.js';

interface Options {
  message?: string;
  edit?: string;
  scope?: string;
  agree?: boolean;
  allLike?: boolean;
  yes?: boolean;
}

export function addApprove(program: Command, attach: Attach): void {
  const command = program
    .command('approve')
    .description('show a call that waits, and let it run')
    .argument('<approval>', 'its code or its id; `longhaul approvals` lists them')
    .option('--message <text>', 'kept with the decision')
    .option('--edit <json>', 'run it with these arguments instead')
    .option(
      '--scope <scope>',
      'once, or run: calls of this tool that the same rule asks about run without asking, for the rest of the run',
    )
    .option('--agree', 'where several have to approve: to the arguments that somebody else has edited')
    .option('--all-like', 'this one and all that wait with the same agent, tool and rule')
    .option('-y, --yes', 'do not ask')
    .addHelpText(
      'after',
      `
Examples:
  $ longhaul approve K7QF
  $ longhaul approve K7QF --all-like
  $ longhaul approve apr_… --edit '{"orderId":"RD-1077","amountUsd":100}' --yes`,
    );
  attach<Options>(command, async (cli, [id = ''], options) => {
    const { message, edit, scope = 'once', agree, allLike, yes = false } = options;
    if (scope !== 'once' && scope !== 'run') throw new UsageError(`--scope ${scope}: once or run`);
    if (allLike) {
      if (edit !== undefined || agree || scope === 'run') {
        throw new UsageError('--all-like decides many calls as they are: without --edit, --agree, --scope');
      }
      return decideLike(cli, id, { decision: 'approve', message, yes });
    }
    const edited = edit === undefined ? undefined : jsonObject(edit, '--edit');
    const approval = await readApproval(cli, id);
    if (approval.kind !== 'approval') throw new UsageError(otherCommand(approval));
    showApproval(cli, approval);
    if (edited !== undefined) cli.io.err(`instead: ${JSON.stringify(edited, null, 2)}\n`);
    const question = edited === undefined ? 'Let it run?' : 'Let it run with the edited arguments?';
    if (approval.status === 'pending' && !(await confirm(cli, question, yes))) {
      cli.io.err(`Nothing was decided. \`longhaul reject ${id}\` refuses it.\n`);
      return 1;
    }
    const decided = await decide(
      cli,
      approval,
      {
        ...(edited === undefined ? { decision: 'approve' as const } : { decision: 'edit' as const, arguments: edited }),
        ...(message === undefined ? {} : { message }),
        ...(scope === 'run' ? { scope } : {}),
      },
      agree ? editedBySomebody(approval) : undefined,
    );
    showDecided(cli, decided);
    return 0;
  });
}

function editedBySomebody({ votes, argumentsDigest }: ApprovalAnswer): string {
  const edit = votes.findLast((vote) => vote.argumentsDigest !== argumentsDigest);
  if (!edit) throw new UsageError('--agree: nobody has edited the arguments');
  return edit.argumentsDigest;
}
