// longhaul open: where to look at a run.
import type { Command } from 'commander';
import type { Attach } from '../cli.js';
import { readRun } from '../readRun.js';

export function addOpen(program: Command, attach: Attach): void {
  const command = program.command('open').description('print the links of a run').argument('<run>');
  attach(command, async (cli, [id = '']) => {
    const { links } = await readRun(cli, id);
    const { url } = cli.client;
    if (cli.json) return cli.printJson({ ...links, api: `${url}/v1/runs/${id}`, docs: `${url}/docs` });
    const lines: [string, string | undefined][] = [
      ['console', links.console],
      ['temporal', links.temporal],
      ['api', `${url}/v1/runs/${id}`],
      ['docs', `${url}/docs`],
    ];
    for (const [name, link] of lines) if (link !== undefined) cli.io.out(`${cli.style.dim(name.padEnd(8))}  ${link}\n`);
  });
}
