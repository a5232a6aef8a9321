// Deciding all questions like one: same agent, tool and rule. All are shown, and exactly those shown are decided.
import { decisionsResult } from '../contracts/approvals.js';
import type { Cli } from './cli.js';
import { confirm, readApproval } from './decide.js';
import { callText, plural } from './render/format.js';
import { harmless } from './render/style.js';
import { type ApprovalAnswer, approvalAnswer } from './shapes.js';

/** More in one request are not taken. */
const MAX_AT_ONCE = 200;

export async function decideLike(
  cli: Cli,
  id: string,
  { decision, message, yes }: { decision: 'approve' | 'reject'; message: string | undefined; yes: boolean },
): Promise<number> {
  const first = await readApproval(cli, id);
  const { rows, more } = await cli.client.list('/v1/approvals', approvalAnswer, {
    query: { like: first.id, status: 'pending' },
    limit: MAX_AT_ONCE,
  });
  const show = (text: string): void => (cli.json ? cli.io.err(text) : cli.io.out(text));
  if (rows.length === 0) {
    show('Nothing like it waits for a person any more.\n');
    return 0;
  }
  show(`${cli.style.bold(first.tool)}  ${harmless(first.reason)} (${harmless(first.rule)}), agent ${first.agent}\n`);
  for (const row of rows) show(`  ${row.code ?? row.id}  ${callText(row.tool, row.arguments, 500)}  ${row.runId}\n`);
  if (more) show(`These are the oldest ${MAX_AT_ONCE}; there are more.\n`);
  const question = decision === 'approve' ? `Let ${plural(rows.length, 'call')} run?` : undefined;
  if (question !== undefined && !(await confirm(cli, question, yes))) {
    cli.io.err('Nothing was decided.\n');
    return 1;
  }
  return send(cli, rows, { decision, ...(message === undefined ? {} : { message }) });
}

async function send(cli: Cli, rows: readonly ApprovalAnswer[], decision: object): Promise<number> {
  const approvals = rows.map(({ id, argumentsDigest }) => ({ id, argumentsDigest }));
  const result = await cli.client.post('/v1/approvals/decisions', decisionsResult, { ...decision, approvals });
  if (cli.json) result.data.forEach((one) => cli.printJson(one));
  else {
    for (const one of result.data) if (!one.ok) cli.io.err(`${one.id}  ${harmless(one.problem.detail)}\n`);
    cli.io.out(`${result.decided} decided, ${result.refused} not\n`);
  }
  return result.refused === 0 ? 0 : 1;
}
