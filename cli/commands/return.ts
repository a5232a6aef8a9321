// longhaul return: gives the result of a call that the caller executes; without a call it lists those that wait.
import type { Command } from 'commander';
import { z } from 'zod';
import { clientCall, toolResultAnswer, type ToolResultBody } from '../../contracts/clientCalls.js';
import { jsonValue } from '../arguments.js';
import { type Attach, type Cli, pathOf } from '../cli.js';
import { UsageError } from '../errors.js';
import { callText, moment } from '../render/format.js';

interface Options {
  text?: string;
  result?: string;
  error?: string;
}

export function addReturn(program: Command, attach: Attach): void {
  const command = program
    .command('return')
    .description('return the result of a call that you execute (client tools); without a call: list those that wait')
    .argument('<run>')
    .argument('[call]', 'such as toolu_…')
    .option('--text <text>', 'the result as text')
    .option('--result <json>', 'the result as JSON')
    .option('--error <text>', 'it failed; the text says how')
    .addHelpText(
      'after',
      `
Examples:
  $ longhaul return run_…
  $ longhaul return run_… toolu_… --result '{"stock": 4}'`,
    );
  attach<Options>(command, async (cli, [run = '', call], options) => {
    if (call === undefined) return list(cli, run);
    const body = { toolCallId: call, ...answerOf(options) };
    const answer = await cli.client.post(pathOf`/v1/runs/${run}/tool-results`, toolResultAnswer.loose(), body);
    if (cli.json) return cli.printJson(answer);
    cli.io.out(`${cli.style.green('returned')}  ${call} (${answer.outcome})  longhaul watch ${run}\n`);
  });
}

async function list(cli: Cli, run: string): Promise<void> {
  const { data } = await cli.client.get(
    pathOf`/v1/runs/${run}/client-calls`,
    z.object({ data: z.array(clientCall.loose()) }),
  );
  if (cli.json) return data.forEach((row) => cli.printJson(row));
  if (data.length === 0) return cli.io.out('No call of this run waits for you.\n');
  for (const { toolCallId, tool, arguments: args, expiresAt } of data) {
    cli.io.out(`${toolCallId}  ${callText(tool, args)}  until ${moment(expiresAt)}\n`);
  }
}

function answerOf({ text, result, error }: Options): Pick<ToolResultBody, 'content' | 'isError'> {
  const given = [text, result, error].filter((option) => option !== undefined).length;
  if (given !== 1) throw new UsageError('Give one of --text, --result, --error.');
  if (error !== undefined) return { content: error, isError: true };
  return { content: result === undefined ? (text ?? '') : (jsonValue(result, '--result') ?? null), isError: false };
}
