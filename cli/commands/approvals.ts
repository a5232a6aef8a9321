// longhaul approvals: the inbox, oldest first.
import type { Command } from 'commander';
import type { Attach } from '../cli.js';
import { callText, relative } from '../render/format.js';
import { type Column, table } from '../render/table.js';
import { type ApprovalAnswer, approvalAnswer } from '../shapes.js';

const callOf = (a: ApprovalAnswer): string =>
  `${a.kind === 'outcome' ? 'did it happen? ' : ''}${callText(a.tool, a.arguments)}`;

export function addApprovals(program: Command, attach: Attach): void {
  const command = program
    .command('approvals')
    .description('list what waits for a person, oldest first')
    .option('--all', 'decided ones too')
    .option('--run <run>', 'of this run')
    .addHelpText('after', '\nExample:\n  $ longhaul approvals --json | jq -r .id');
  attach<{ all?: boolean; run?: string }>(command, async (cli, _args, { all, run }) => {
    const { rows } = await cli.client.list('/v1/approvals', approvalAnswer, {
      query: { runId: run, status: all ? undefined : 'pending' },
      limit: Infinity,
    });
    if (cli.json) return rows.forEach((row) => cli.printJson(row));
    if (rows.length === 0) return cli.io.out(all ? 'There are none.\n' : 'Nothing waits for a person.\n');
    const columns: Column<ApprovalAnswer>[] = [
      { title: 'APPROVAL', value: (a) => a.id },
      { title: 'STATUS', value: (a) => a.status },
      { title: 'CALL', value: (a) => callOf(a), flexible: true },
      { title: 'REASON', value: (a) => a.reason, flexible: true },
      { title: 'EXPIRES', value: (a) => (a.status === 'pending' ? relative(a.expiresAt) : '') },
    ];
    cli.io.out(table(rows, columns, { width: cli.io.columns(), style: cli.style }));
  });
}
