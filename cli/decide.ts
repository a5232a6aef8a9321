// Deciding an approval: what is shown is what is decided, so its digest always goes with the decision.
import type { DecisionBody } from '../contracts/approvals.js';
import { type Cli, pathOf } from './cli.js';
import { UsageError } from './errors.js';
import { moment, relative } from './render/format.js';
import { harmless } from './render/style.js';
import { type ApprovalAnswer, approvalAnswer } from './shapes.js';

type Decision = Omit<DecisionBody, 'argumentsDigest' | 'scope'> & { scope?: DecisionBody['scope'] };

export const readApproval = (cli: Cli, id: string): Promise<ApprovalAnswer> =>
  cli.client.get(pathOf`/v1/approvals/${id}`, approvalAnswer);

export async function decide(
  cli: Cli,
  shown: ApprovalAnswer,
  decision: Decision,
  argumentsDigest = shown.argumentsDigest,
): Promise<ApprovalAnswer> {
  const body = { ...decision, argumentsDigest };
  return cli.client.post(pathOf`/v1/approvals/${shown.id}/decision`, approvalAnswer, body);
}

export function showDecided(cli: Cli, decided: ApprovalAnswer): void {
  if (cli.json) return cli.printJson(decided);
  const { status, votes, approvers } = decided;
  const said = status === 'pending' ? `${votes.length} of ${approvers} have approved` : status;
  cli.io.out(`${cli.style.green(said)}  ${decided.id}  longhaul watch ${decided.runId}\n`);
}

/** Everything a person needs to decide. On standard error with --json, whose output is the decided approval. */
export function showApproval({ io, style, json }: Cli, approval: ApprovalAnswer): void {
  const args = Object.entries(typeof approval.arguments === 'object' ? (approval.arguments ?? {}) : {});
  const lines = [
    ...(approval.kind === 'outcome' ? [style.yellow('did this happen?')] : []),
    `${style.bold(approval.tool)}  (${approval.effect})`,
    ...args.map(([name, value]) => `  ${name} = ${harmless(indented(value))}`),
    ...(approval.arguments === null ? ['  (the arguments were erased)'] : []),
    `reason   ${harmless(approval.reason)}`,
    `rule     ${harmless(approval.rule)}`,
    `run      ${approval.runId}, step ${approval.step}, agent ${approval.agent}`,
    ...(approval.code === undefined ? [] : [`code     ${approval.code}`]),
    ...(approval.assignee === undefined ? [] : [`for      ${harmless(approval.assignee)}`]),
    ...(approval.approvers > 1 ? [`needs    ${approval.approvers} people; ${approval.votes.length} so far`] : []),
    ...approval.votes.flatMap(({ by, arguments: edited }) =>
      edited === undefined ? [] : [`edited   by ${by.id}: ${harmless(indented(edited))}`],
    ),
    approval.status === 'pending'
      ? `expires  ${moment(approval.expiresAt)} (${relative(approval.expiresAt)}); then ${onExpiry[approval.onExpiry]}`
      : `status   ${approval.status}`,
    ...(approval.provenance === undefined ? [] : [`from     ${harmless(JSON.stringify(approval.provenance))}`]),
  ];
  const text = `${lines.join('\n')}\n`;
  if (json) io.err(text);
  else io.out(text);
}

const onExpiry = { reject: 'reject', approve: 'approve', tell: 'the model is told that nobody knows' };

/** What to do instead, for a question of another kind than the command decides. */
export function otherCommand({ kind, id }: ApprovalAnswer): string {
  if (kind === 'input') return `This is a question. Answer it with \`longhaul respond ${id} "…"\`, or reject it.`;
  if (kind === 'client') return `The caller executes this call. \`longhaul return\` gives its result.`;
  return `Nobody knows whether this call happened. \`longhaul settle ${id}\` says what became of it.`;
}

const indented = (value: unknown): string =>
  (typeof value === 'string' ? value : (JSON.stringify(value, null, 2) ?? 'undefined')).replaceAll('\n', '\n      ');

/** Asks the person at the keyboard. Without one, only --yes says yes. */
export async function confirm(cli: Cli, question: string, yes: boolean): Promise<boolean> {
  if (yes) return true;
  if (!cli.io.canAsk || cli.json) {
    throw new UsageError('Nobody can be asked here, because this is no terminal. Give --yes to approve what is shown.');
  }
  const answer = await cli.io.ask(`${question} [y/N] `);
  return /^y(es)?$/i.test((answer ?? '').trim());
}
