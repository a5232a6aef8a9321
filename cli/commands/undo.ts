// longhaul undo: shows what of a run can be taken back, asks, and follows it to its end.
import { setTimeout } from 'node:timers/promises';
import type { Command } from 'commander';
import { type Undo, undo as undoShape } from '../../contracts/undo.js';
import { type Attach, type Cli, pathOf } from '../cli.js';
import { confirm } from '../decide.js';
import { callText } from '../render/format.js';
import { oneLine } from '../render/style.js';

const answer = undoShape.loose();
const POLL_MS = 500;

export function addUndo(program: Command, attach: Attach): void {
  const command = program
    .command('undo')
    .description('take back what a run that has ended did: the plan is shown and has to be approved')
    .argument('<run>')
    .option('--plan', 'only show the plan')
    .option('-y, --yes', 'approve what is shown')
    .addHelpText('after', '\nExample:\n  $ longhaul undo run_… --plan\n  $ longhaul undo run_…');
  attach<{ plan?: boolean; yes?: boolean }>(command, async (cli, [run = ''], { plan = false, yes = false }) => {
    const at = pathOf`/v1/runs/${run}/undo`;
    let seen: Undo = await cli.client.get(at, answer);
    if (seen.last?.status !== 'running') {
      showPlan(cli, seen);
      if (plan || seen.plan.steps.length === 0) {
        if (cli.json) cli.printJson(seen);
        return seen.plan.steps.length === 0 && !plan ? 1 : 0;
      }
      if (!(await confirm(cli, `Take back ${seen.plan.steps.length} call(s), in this order?`, yes))) {
        cli.io.err('Nothing was taken back.\n');
        return 1;
      }
      seen = await cli.client.post(at, answer, { planDigest: seen.plan.digest });
    }
    while (seen.last?.status === 'running') {
      await setTimeout(POLL_MS);
      seen = await cli.client.get(at, answer);
    }
    showEnd(cli, seen);
    return seen.last?.calls.every((call) => call.outcome === 'undone') === true ? 0 : 1;
  });
}

/** On standard error with --json, whose output is the end. */
function showPlan({ io, style, json }: Cli, { plan }: Undo): void {
  const lines = [
    ...plan.steps.map((s, i) => `${i + 1}. take back  ${callText(s.tool, s.arguments)}  ${s.toolCallId}`),
    ...plan.cannot.map((s) =>
      style.yellow(`cannot     ${callText(s.tool, s.arguments)}  ${s.toolCallId}: ${oneLine(s.why)}`),
    ),
  ];
  const text = `${lines.length === 0 ? 'The run has done nothing that is left to take back.' : lines.join('\n')}\n`;
  if (json) io.err(text);
  else io.out(text);
}

function showEnd(cli: Cli, seen: Undo): void {
  const { io, style, json } = cli;
  if (json) return cli.printJson(seen);
  for (const { outcome = 'failed', tool, toolCallId, why } of seen.last?.calls ?? []) {
    const painted = outcome === 'undone' ? style.green(outcome) : style.red(outcome);
    io.out(`${painted}  ${tool}  ${toolCallId}${why === undefined ? '' : `: ${oneLine(why)}`}\n`);
  }
}
