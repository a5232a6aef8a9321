// longhaul approvals: the inbox, oldest first.
import type { Command } from 'commander';
import type { Attach } from '../cli.js';
import { callText, relative } from '../render/format.js';
import { type Column, table } from '../render/table.js';
import { type ApprovalAnswer, approvalAnswer } from '../shapes.js';

interface Options {
  all?: boolean;
  run?: string;
  assignee?: string;
  like?: string;
}

function statusOf({ status, approvers, votes, escalatedAt, remindedAt }: ApprovalAnswer): string {
  if (status !== 'pending') return status;
  const urgency = escalatedAt ? ', escalated' : remindedAt ? ', reminded' : '';
  return `${approvers > 1 ? `${votes.length} of ${approvers}` : status}${urgency}`;
}

const callOf = (a: ApprovalAnswer): string =>
  `${a.kind === 'outcome' ? 'did it happen? ' : ''}${callText(a.tool, a.arguments)}`;

export function addApprovals(program: Command, attach: Attach): void {
  const command = program
    .command('approvals')
    .description('list what waits for a person, oldest first')
    .option('--all', 'decided ones too')
    .option('--run <run>', 'of this run')
    .option('--assignee <name>', 'for these people, as the agent file names them')
    .option('--like <approval>', 'of the same agent, tool and rule')
    .addHelpText('after', '\nExample:\n  $ longhaul approvals --json | jq -r .id');
  attach<Options>(command, async (cli, _args, { all, run, assignee, like }) => {
    const { rows } = await cli.client.list('/v1/approvals', approvalAnswer, {
      query: { runId: run, assignee, like, status: all ? undefined : 'pending' },
      limit: Infinity,
    });
    if (cli.json) return rows.forEach((row) => cli.printJson(row));
    if (rows.length === 0) return cli.io.out(all ? 'There are none.\n' : 'Nothing waits for a person.\n');
    const columns: Column<ApprovalAnswer>[] = [
      { title: 'CODE', value: (a) => a.code ?? '' },
      { title: 'APPROVAL', value: (a) => a.id },
      { title: 'STATUS', value: statusOf },
      { title: 'CALL', value: (a) => callOf(a), flexible: true },
      { title: 'REASON', value: (a) => a.reason, flexible: true },
      { title: 'EXPIRES', value: (a) => (a.status === 'pending' ? relative(a.expiresAt) : '') },
    ];
    cli.io.out(table(rows, columns, { width: cli.io.columns(), style: cli.style }));
  });
}
