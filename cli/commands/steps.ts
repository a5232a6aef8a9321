// longhaul steps: what the model decided at each step and what became of its calls.
import type { Command } from 'commander';
import { wholeNumber } from '../arguments.js';
import { type Attach, type Cli, pathOf } from '../cli.js';
import { stepTable } from '../render/steps.js';
import { callText, textOf } from '../render/format.js';
import { outcome } from '../render/events.js';
import { harmless } from '../render/style.js';
import { type StepAnswer, stepAnswer } from '../shapes.js';

export function addSteps(program: Command, attach: Attach): void {
  const command = program
    .command('steps')
    .description('show the steps of a run, or one of them with texts, arguments and results')
    .argument('<run>')
    .option('--step <n>', 'only this one, in full', wholeNumber)
    .addHelpText('after', '\nExamples:\n  $ longhaul steps run_01J…\n  $ longhaul steps run_01J… --step 3');
  attach<{ step?: number }>(command, async (cli, [id = ''], { step }) => {
    if (step !== undefined) {
      const one = await cli.client.get(pathOf`/v1/runs/${id}/steps/${String(step)}`, stepAnswer);
      return cli.json ? cli.printJson(one) : printStep(cli, one);
    }
    const { rows } = await cli.client.list(pathOf`/v1/runs/${id}/steps`, stepAnswer, { limit: Infinity });
    if (cli.json) return rows.forEach((row) => cli.printJson(row));
    cli.io.out(rows.length === 0 ? 'There are no steps yet.\n' : stepTable(rows, cli.style, cli.io.columns()));
  });
}

function printStep({ io, style }: Cli, step: StepAnswer): void {
  io.out(stepTable([step], style, io.columns()));
  const said = textOf(step.reply);
  if (said !== '') io.out(`\n${harmless(said)}\n`);
  for (const call of step.toolCalls) {
    const result = textOf(call.result);
    io.out(
      `\n${style.bold(callText(call.tool, call.arguments, 2000))} → ${outcome(call.outcome ?? 'under way', style)}\n`,
    );
    if (call.verdict !== 'execute') io.out(style.dim(`  ${call.verdict}: ${harmless(call.reason)} (${call.rule})\n`));
    if (result !== '') io.out(`${harmless(result).replaceAll(/^/gm, '  ')}\n`);
  }
}
