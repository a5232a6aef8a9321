// longhaul rate: how often calls may be made by a tenant, by an agent, to a model, of a tool.
import type { Command } from 'commander';
import type { z } from 'zod';
import { type Attach, pathOf } from '../cli.js';
import { UsageError } from '../errors.js';
import { type Column, table } from '../render/table.js';
import { pageOf, rateAnswer } from '../shapes.js';

export function addRate(program: Command, attach: Attach): void {
  const rate = program.command('rate').description('rates over all runs: list, put, delete');

  attach(rate.command('list', { isDefault: true }).description('list rates'), async (cli) => {
    const { data } = await cli.client.get('/v1/rates', pageOf(rateAnswer));
    if (cli.json) return data.forEach((row) => cli.printJson(row));
    if (data.length === 0) return cli.io.out('There are no rates. longhaul rate put --help shows how one is set.\n');
    const columns: Column<z.infer<typeof rateAnswer>>[] = [
      { title: 'OF', value: (r) => `${r.scope}/${r.subject}` },
      { title: 'RATE', value: (r) => r.rate },
      { title: 'AT ONCE', value: (r) => String(r.burst) },
      { title: 'FROM', value: (r) => (r.declared ? 'agent file' : 'operator') },
    ];
    cli.io.out(table(data, columns, { width: cli.io.columns(), style: cli.style }));
  });

  const put = rate
    .command('put')
    .description('set a rate: of model calls by the tenant (all), by an agent, to a model; of calls of a tool')
    .argument('<scope>', 'tenant, agent, model or tool')
    .argument('<subject>', 'a name; "all" for the tenant')
    .argument('<rate>', 'such as 5/s, 60/m, 100/h or 1000/d')
    .option('--burst <n>', 'so many may come at once (1)')
    .addHelpText('after', '\nExample:\n  $ longhaul rate put tool search 30/m --burst 5');
  attach<{ burst?: string }>(put, async (cli, [scope = '', subject = '', text = ''], { burst }) => {
    if (burst !== undefined && !/^[1-9]\d{0,6}$/.test(burst)) {
      throw new UsageError(`--burst takes a whole number from 1, not ${burst}.`);
    }
    const body = { rate: text, ...(burst === undefined ? {} : { burst: Number(burst) }) };
    const stored = await cli.client.call('PUT', pathOf`/v1/rates/${scope}/${subject}`, rateAnswer, { body });
    if (cli.json) return cli.printJson(stored);
    cli.io.out(`${stored.scope}/${stored.subject}  ${stored.rate}, ${stored.burst} at once\n`);
  });

  const remove = rate
    .command('delete')
    .description('remove a rate that was set with put')
    .argument('<scope>')
    .argument('<subject>');
  attach(remove, async (cli, [scope = '', subject = '']) => {
    await cli.client.call('DELETE', pathOf`/v1/rates/${scope}/${subject}`, rateAnswer.nullish(), {});
    if (!cli.json) cli.io.out(`${scope}/${subject}  deleted\n`);
  });
}
