// longhaul settle: says what became of a call of which nobody knows whether it happened.
import type { Command } from 'commander';
import type { DecisionBody } from '../../contracts/approvals.js';
import { jsonValue } from '../arguments.js';
import type { Attach } from '../cli.js';
import { confirm, decide, readApproval, showApproval, showDecided } from '../decide.js';
import { UsageError } from '../errors.js';

interface Options {
  succeeded?: string;
  result?: string;
  notHappened?: boolean;
  unknown?: boolean;
  message?: string;
  yes?: boolean;
}

type Answer = Pick<DecisionBody, 'decision' | 'message' | 'result'>;

export function addSettle(program: Command, attach: Attach): void {
  const command = program
    .command('settle')
    .description('say what became of a call whose outcome nobody knows')
    .argument('<approval>', 'such as apr_…; `longhaul approvals` lists them')
    .option('--succeeded <text>', 'it happened; the text is its result for the model')
    .option('--result <json>', 'it happened; this JSON is its result')
    .option('--not-happened', 'it did not; run it, once, under the same key')
    .option('--unknown', 'nobody knows; tell the model')
    .option('--message <text>', 'with --unknown or --not-happened: kept with the decision')
    .option('-y, --yes', 'do not ask before it runs again')
    .addHelpText(
      'after',
      `
Look at the destination first: under the call's key something may have happened there.
Examples:
  $ longhaul settle apr_… --succeeded "Refund R-17 is paid."
  $ longhaul settle apr_… --not-happened`,
    );
  attach<Options>(command, async (cli, [id = ''], options) => {
    const answer = answerOf(options);
    const approval = await readApproval(cli, id);
    if (approval.kind !== 'outcome') {
      throw new UsageError(`What became of ${approval.tool} is not asked here; see \`longhaul approvals\`.`);
    }
    showApproval(cli, approval);
    const runsAgain = answer.decision === 'not_happened' && approval.status === 'pending';
    if (runsAgain && !(await confirm(cli, 'It did not happen: run it?', options.yes === true))) {
      cli.io.err('Nothing was decided.\n');
      return 1;
    }
    showDecided(cli, await decide(cli, approval, answer));
    return 0;
  });
}

function answerOf({ succeeded, result, notHappened, unknown, message }: Options): Answer {
  const given = [succeeded, result, notHappened, unknown].filter((option) => option !== undefined).length;
  if (given !== 1) throw new UsageError('Give one of --succeeded, --result, --not-happened, --unknown.');
  if (succeeded !== undefined) return { decision: 'succeeded', message: succeeded };
  if (result !== undefined) return { decision: 'succeeded', result: jsonValue(result, '--result') };
  const more = message === undefined ? {} : { message };
  return notHappened ? { decision: 'not_happened', ...more } : { decision: 'unknown', ...more };
}
