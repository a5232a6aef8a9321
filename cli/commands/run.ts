// longhaul run: starts a run and watches it.
import type { Command } from 'commander';
import type { StartRunBody } from '../../contracts/agentRun.js';
import { limitsOf, pairs, readInput } from '../arguments.js';
import { type Attach, type Cli, collect } from '../cli.js';
import { UsageError } from '../errors.js';
import { shortVersion } from '../render/format.js';
import { runAnswer } from '../shapes.js';
import { watchRun } from '../watchRun.js';

interface Options {
  inputFile?: string;
  metadata?: string[];
  limit?: string[];
  idempotencyKey?: string;
  startAt?: string;
  detach?: boolean;
  deltas?: boolean;
  verbose?: boolean;
}

export function addRun(program: Command, attach: Attach): void {
  const command = program
    .command('run')
    .description('start a run and watch it to its end')
    .argument('<agent>', 'name, or name@version')
    .argument('[input...]', 'what the agent is to do')
    .option('--input-file <file>', 'read the input from a file; - is standard input')
    .option('--metadata <name=value>', 'for finding the run again; may be repeated', collect)
    .option(
      '--limit <name=value>',
      'maxSteps, maxTokens, maxCostUsd, maxToolCalls or deadline; may be repeated',
      collect,
    )
    .option('--idempotency-key <key>', 'the same key and input start one run, however often they are sent')
    .option('--start-at <time>', 'not before this time, such as 2026-12-01T08:00:00Z')
    .option('-d, --detach', 'only start it')
    .option('--deltas', 'with --json: also the pieces of a reply while it is being written')
    .option('-v, --verbose', 'every event')
    .addHelpText(
      'after',
      `
Examples:
  $ longhaul run refund-desk "Work through the letters of today."
  $ longhaul run refund-desk --input-file task.md --limit maxCostUsd=0.50 --limit deadline=2h
  $ id=$(longhaul run refund-desk "…" --detach --json | jq -r .id)

With --json: the events, one per line, and at last the run (the line that has an "id").`,
    );
  attach<Options>(command, async (cli, args, options) => {
    const { body, headers } = await requestOf(cli, args, options);
    const run = await cli.client.post('/v1/runs', runAnswer, body, { headers });
    if (options.detach) {
      if (cli.json) cli.printJson(run);
      else cli.io.out(`${run.id}\n`);
      return 0;
    }
    if (!cli.json) cli.io.out(`${cli.style.bold(run.id)}  ${run.agent}@${shortVersion(run.agentVersion)}\n`);
    return watchRun(cli, run.id, options);
  });
}

async function requestOf(
  cli: Cli,
  [agent = '', ...words]: string[],
  options: Options,
): Promise<{ body: StartRunBody; headers: Record<string, string> }> {
  if (words.length > 0 && options.inputFile !== undefined) {
    throw new UsageError('Give the input as words or with --input-file, not both.');
  }
  const input = options.inputFile === undefined ? words.join(' ') : await readInput(cli.io, options.inputFile);
  if (input.trim() === '') throw new UsageError('What is the agent to do? Give the input, or --input-file.');
  const limits = limitsOf(options.limit ?? []);
  return {
    body: {
      agent,
      input,
      ...(options.metadata === undefined ? {} : { metadata: pairs(options.metadata, '--metadata') }),
      ...(limits === undefined ? {} : { limits }),
      ...(options.startAt === undefined ? {} : { startAt: options.startAt }),
    },
    headers: options.idempotencyKey === undefined ? {} : { 'idempotency-key': options.idempotencyKey },
  };
}
