// longhaul policy: the tenant's rules, trying rules on example calls, and why a call of a run was decided as it was.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { parse } from 'yaml';
import { z } from 'zod';
import { tenantPolicy } from '../../contracts/policy.js';
import { type PolicyTestResult, policyTest, policyTestAnswer } from '../../contracts/policyTest.js';
import type { ArgumentProvenance, ProvenanceSource } from '../../contracts/provenance.js';
import { type Attach, type Cli, pathOf } from '../cli.js';
import { UsageError } from '../errors.js';
import { callText } from '../render/format.js';
import { harmless, oneLine } from '../render/style.js';
import { type Column, table } from '../render/table.js';
import { type ToolCallAnswer, stepAnswer } from '../shapes.js';

const stored = z.looseObject({ policy: tenantPolicy, version: z.string(), storedAt: z.string() });

export function addPolicy(program: Command, attach: Attach): void {
  const policy = program.command('policy').description('rules over tool calls: show, store, test, explain');

  const show = policy.command('show').description("show the tenant's rules, which count for every agent");
  attach(show, async (cli) => {
    const answer = await cli.client.get('/v1/policy', stored);
    if (cli.json) return cli.printJson(answer);
    const { rules } = answer.policy;
    if (rules.length === 0) return cli.io.out('The tenant has no rules.\n');
    const columns: Column<(typeof rules)[number]>[] = [
      { title: 'RULE', value: (rule) => rule.id },
      { title: 'EFFECT', value: (rule) => rule.effect },
      { title: 'TOOLS', value: (rule) => rule.tools?.join(', ') ?? 'all' },
      { title: 'WHEN', value: (rule) => oneLine(rule.when ?? 'always'), flexible: true },
    ];
    cli.io.out(table(rules, columns, { width: cli.io.columns(), style: cli.style }));
  });

  const put = policy
    .command('put')
    .description("store the tenant's rules; they count from the next call of every run on")
    .argument('<file>', 'YAML or JSON: {rules: [{id, effect, tools, when, reason}], default}');
  attach(put, async (cli, [file = '']) => {
    const answer = await cli.client.call('PUT', '/v1/policy', stored, { body: yamlOf(file) });
    if (cli.json) return cli.printJson(answer);
    cli.io.out(`Stored ${answer.policy.rules.length} rule(s), version ${answer.version.slice(0, 12)}.\n`);
  });

  const test = policy
    .command('test')
    .description('try a policy on example calls; exits with 1 when a verdict is not the expected one')
    .argument('<file>', 'YAML or JSON with agent (stored) or agentFile (a path), and cases')
    .addHelpText('after', TEST_HELP);
  attach(test, async (cli, [file = '']) => {
    const answer = await cli.client.post('/v1/policy/test', policyTestAnswer, tableOf(file));
    if (cli.json) cli.printJson(answer);
    else cli.io.out(results(cli, answer.cases));
    return answer.failed === 0 ? 0 : 1;
  });

  const explain = policy
    .command('explain')
    .description('say which rules decided a call, and where its arguments came from')
    .argument('<run>')
    .argument('<call>', 'id of the tool call, as longhaul events shows it')
    .addHelpText('after', '\nExamples:\n  $ longhaul policy explain run_01J… toolu_01A…');
  attach(explain, async (cli, [run = '', call = '']) => {
    const { rows } = await cli.client.list(pathOf`/v1/runs/${run}/steps`, stepAnswer, { limit: Infinity });
    const step = rows.find((row) => row.toolCalls.some((c) => c.toolCallId === call));
    if (!step) throw new UsageError(`${run} has no call ${call}; longhaul steps ${run} lists them`);
    const whole = await cli.client.get(pathOf`/v1/runs/${run}/steps/${String(step.step)}`, stepAnswer);
    const found = whole.toolCalls.find((c) => c.toolCallId === call) as ToolCallAnswer;
    if (cli.json) return cli.printJson(found);
    cli.io.out(explained(cli, step.step, found));
  });
}

const TEST_HELP = `
A case names a tool, its arguments, where they came from (clean unless said otherwise: resolved, reported, tainted,
unknown), and what is expected: allow, ask or deny.

  agentFile: refund-desk.yaml
  cases:
    - { tool: refund, arguments: { orderId: RD-1, amountUsd: 20 }, expect: allow }
    - { tool: refund, arguments: { orderId: RD-1, amountUsd: 80 }, expect: ask, rule: "approve[0]" }
    - { tool: send_email, arguments: { to: x@y.example }, provenance: { to: tainted }, expect: ask }

Example:
  $ longhaul policy test refunds.test.yaml`;

function yamlOf(file: string): unknown {
  try {
    return parse(readFileSync(file, 'utf8'));
  } catch (err) {
    throw new UsageError(`${file}: ${(err as Error).message}`);
  }
}

const withFile = policyTest
  .omit({ file: true })
  .extend({ agentFile: z.string().optional() })
  .refine(({ agent, agentFile }) => (agent === undefined) !== (agentFile === undefined), {
    message: 'give agent (a stored one) or agentFile (a path)',
  });

function tableOf(file: string): unknown {
  const parsed = withFile.safeParse(yamlOf(file));
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'the file'}: ${issue.message}`);
    throw new UsageError(`${file}: ${problems.join('; ')}`);
  }
  const { agentFile, ...given } = parsed.data;
  if (agentFile === undefined) return given;
  const where = path.resolve(path.dirname(file), agentFile);
  try {
    return { ...given, file: readFileSync(where, 'utf8') };
  } catch (err) {
    throw new UsageError(`agentFile: ${(err as Error).message}`);
  }
}

function results({ io, style }: Cli, cases: readonly PolicyTestResult[]): string {
  const columns: Column<PolicyTestResult>[] = [
    { title: '', value: (c) => (c.ok ? style.green('ok') : style.red('WRONG')) },
    { title: 'TOOL', value: (c) => c.tool },
    { title: 'EXPECTED', value: (c) => [c.expected, c.expectedRule].filter(Boolean).join(' by ') },
    { title: 'IS', value: (c) => `${c.verdict} by ${c.rule}` },
    { title: 'WHY', value: (c) => oneLine(c.reason), flexible: true },
  ];
  const wrong = cases.filter((c) => !c.ok).length;
  const summary = wrong === 0 ? `All ${cases.length} as expected.` : `${wrong} of ${cases.length} not as expected.`;
  return `${table(cases, columns, { width: io.columns(), style })}${summary}\n`;
}

const VERDICTS: Record<string, string> = { execute: 'was let through', ask: 'was asked about', reject: 'was refused' };

function explained({ style }: Cli, step: number, call: ToolCallAnswer): string {
  const { rules = [], provenance } = call.decision ?? {};
  const lines = [
    `${style.bold(callText(call.tool, call.arguments, 300))}  step ${step}`,
    `${VERDICTS[call.verdict] ?? call.verdict} by ${harmless(call.rule)}: ${harmless(call.reason)}`,
    '',
    rules.length === 0 ? 'No rule of the policy was looked at.' : 'Rules that applied, the deciding one first:',
    ...rules.map(
      (rule) => `  ${rule.effect.padEnd(5)} ${harmless(rule.id)}${rule.failed ? ' (could not be evaluated)' : ''}`,
    ),
    '',
  ];
  if (!provenance) return [...lines, 'Where its arguments came from made no difference.', ''].join('\n');
  const given = Object.entries(provenance.arguments).filter(([, argument]) => argument.standing !== 'absent');
  return [
    ...lines,
    'Where its arguments came from:',
    ...given.map(([name, argument]) => `  ${harmless(name)}: ${argumentText(argument)}`),
    `In view: ${provenance.labels.join(', ') || 'nothing labelled'}.`,
    '',
  ].join('\n');
}

function argumentText({ standing, control, tainted, sources, links, passages }: ArgumentProvenance): string {
  const notes = [control && 'steers the effect', tainted && 'counts as tainted'].filter(Boolean).join(', ');
  const found = [links && `${links} strange link(s)`, passages && `${passages} copied passage(s)`].filter(Boolean);
  return [
    standing,
    notes === '' ? '' : ` (${notes})`,
    sources.length === 0 ? '' : `, from ${sources.map(sourceText).join('; ')}`,
    found.length === 0 ? '' : `; ${found.join(', ')}`,
  ].join('');
}

const sourceText = ({ kind, tool, field, step }: ProvenanceSource): string =>
  harmless(tool === undefined ? kind : `${tool}${field === undefined ? '' : `.${field}`} (step ${step ?? '?'})`);
