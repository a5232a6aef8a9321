// longhaul budget: what a tenant, an agent, a model, a tool or a tree of runs may use, and what is used of it.
import type { Command } from 'commander';
import type { z } from 'zod';
import { type Attach, type Cli, pathOf } from '../cli.js';
import { UsageError } from '../errors.js';
import { type Column, table } from '../render/table.js';
import { budgetAnswer, pageOf } from '../shapes.js';

type Answer = z.infer<typeof budgetAnswer>;
interface Amounts {
  cost?: string;
  tokens?: string;
  steps?: string;
  toolCalls?: string;
}

const WHERE = `
SCOPE is tenant, agent, model, tool or run; SUBJECT a name ("all" for the tenant, the root's id for a tree of runs);
PERIOD day, month (of UTC) or total.

Examples:
  $ longhaul budget put tenant all month --cost 500
  $ longhaul budget put agent refund-desk day --cost 20 --tool-calls 1000
  $ longhaul budget topup agent refund-desk day --cost 5
  $ longhaul budget topup run run_01J… --steps 20`;

export function addBudget(program: Command, attach: Attach): void {
  const budget = program
    .command('budget')
    .description('budgets over many runs: list, put, topup, delete')
    .addHelpText('after', WHERE);

  const list = budget
    .command('list', { isDefault: true })
    .description('list budgets with what is used of them')
    .option('--run <id>', 'the one of the tree of runs that this run is the root of');
  attach<{ run?: string }>(list, async (cli, _words, { run }) => {
    const path = run === undefined ? '/v1/budgets' : pathOf`/v1/budgets?runId=${run}`;
    const { data } = await cli.client.get(path, pageOf(budgetAnswer));
    if (cli.json) return data.forEach((row) => cli.printJson(row));
    if (data.length === 0)
      return cli.io.out('There are no budgets. longhaul budget put --help shows how one is set.\n');
    show(cli, data);
  });

  const put = withAmounts(budget.command('put').description('set a budget; what is used stays'), 'at most')
    .argument('<scope>')
    .argument('<subject>')
    .argument('<period>');
  attach<Amounts>(put, async (cli, [scope = '', subject = '', period = ''], options) => {
    const { costUsd, tokens, steps, toolCalls } = amountsOf(options);
    const body = { maxCostUsd: costUsd, maxTokens: tokens, maxSteps: steps, maxToolCalls: toolCalls };
    const path = pathOf`/v1/budgets/${scope}/${subject}/${period}`;
    answer(cli, await cli.client.call('PUT', path, budgetAnswer, { body }));
  });

  const topUp = withAmounts(
    budget.command('topup').description('add to a budget for its present period; runs that wait for it go on'),
    'so much more',
  )
    .argument('<scope>')
    .argument('<subject>')
    .argument('[period]', 'not needed for a run');
  attach<Amounts>(topUp, async (cli, [scope = '', subject = '', period], options) => {
    if (period === undefined && scope !== 'run') throw new UsageError('Of which period? Say day, month or total.');
    const path = pathOf`/v1/budgets/${scope}/${subject}/${period ?? 'total'}/top-up`;
    answer(cli, await cli.client.post(path, budgetAnswer, amountsOf(options)));
  });

  const remove = budget
    .command('delete')
    .description('remove a budget')
    .argument('<scope>')
    .argument('<subject>')
    .argument('<period>');
  attach(remove, async (cli, [scope = '', subject = '', period = '']) => {
    await cli.client.call(
      'DELETE',
      pathOf`/v1/budgets/${scope}/${subject}/${period}`,
      pageOf(budgetAnswer).nullish(),
      {},
    );
    if (!cli.json) cli.io.out(`${scope}/${subject}/${period}  deleted\n`);
  });
}

const withAmounts = (command: Command, how: string): Command =>
  command
    .option('--cost <usd>', `${how}, in USD, such as 12.50`)
    .option('--tokens <n>', how)
    .option('--steps <n>', `${how} (model calls)`)
    .option('--tool-calls <n>', how);

function amountsOf({ cost, tokens, steps, toolCalls }: Amounts): {
  costUsd?: string;
  tokens?: number;
  steps?: number;
  toolCalls?: number;
} {
  const amounts = {
    ...(cost === undefined ? {} : { costUsd: cost }),
    ...(tokens === undefined ? {} : { tokens: countOf('--tokens', tokens) }),
    ...(steps === undefined ? {} : { steps: countOf('--steps', steps) }),
    ...(toolCalls === undefined ? {} : { toolCalls: countOf('--tool-calls', toolCalls) }),
  };
  if (Object.keys(amounts).length === 0) {
    throw new UsageError('How much? Give at least one of --cost, --tokens, --steps, --tool-calls.');
  }
  return amounts;
}

function countOf(option: string, text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new UsageError(`${option} takes a whole number, not ${text}.`);
  return Number(text);
}

function answer(cli: Cli, row: Answer): void {
  if (cli.json) return cli.printJson(row);
  show(cli, [row]);
}

const DIMENSIONS = ['costUsd', 'tokens', 'steps', 'toolCalls'] as const;

function show(cli: Cli, rows: readonly Answer[]): void {
  const columns: Column<Answer>[] = [
    { title: 'BUDGET', value: (b) => `${b.scope}/${b.subject}/${b.period}` },
    { title: 'USED OF LIMIT', value: (b) => DIMENSIONS.flatMap((name) => useOf(b, name)).join(', '), flexible: true },
    { title: 'UNTIL', value: (b) => b.until ?? '' },
  ];
  cli.io.out(table(rows, columns, { width: cli.io.columns(), style: cli.style }));
}

function useOf({ limits, used, topUps }: Answer, name: (typeof DIMENSIONS)[number]): string[] {
  const limit = limits[name];
  if (limit === undefined) return [];
  const extra = Number(topUps[name]) > 0 ? ` + ${topUps[name]}` : '';
  return [`${name} ${used[name]} of ${limit}${extra}`];
}
