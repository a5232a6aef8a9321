// longhaul tools: what agents may name.
import type { Command } from 'commander';
import type { z } from 'zod';
import type { Attach } from '../cli.js';
import { type Column, table } from '../render/table.js';
import { pageOf, toolAnswer } from '../shapes.js';

export function addTools(program: Command, attach: Attach): void {
  const command = program.command('tools').description('list the tools that the workers offer');
  attach(command, async (cli) => {
    const { data } = await cli.client.get('/v1/tools', pageOf(toolAnswer));
    if (cli.json) return data.forEach((row) => cli.printJson(row));
    if (data.length === 0) return cli.io.out('No worker has offered a tool yet. Is one running?\n');
    const columns: Column<z.infer<typeof toolAnswer>>[] = [
      { title: 'TOOL', value: (t) => t.name },
      { title: 'EFFECT', value: (t) => t.effect },
      { title: 'RESULT', value: (t) => t.labels.join(',') },
      { title: 'FROM', value: (t) => t.source },
      { title: 'WORKER', value: (t) => (t.available ? 'yes' : 'none now') },
      { title: 'DESCRIPTION', value: (t) => t.description, flexible: true },
    ];
    cli.io.out(table(data, columns, { width: cli.io.columns(), style: cli.style }));
    for (const { name, refusals = [] } of data) {
      for (const { host, reason } of refusals)
        cli.io.out(`${name} is not offered by the worker on ${host}: ${reason}\n`);
    }
  });
}
