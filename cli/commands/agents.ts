// longhaul agents: what is stored, and storing a file.
import type { Command } from 'commander';
import { parse } from 'yaml';
import { z } from 'zod';
import { readInput } from '../arguments.js';
import { type Attach, type Cli, pathOf } from '../cli.js';
import { UsageError } from '../errors.js';
import { moment, shortVersion } from '../render/format.js';
import { type Column, table } from '../render/table.js';
import { agentAnswer } from '../shapes.js';

type Agent = z.infer<typeof agentAnswer>;

export function addAgents(program: Command, attach: Attach): void {
  const agents = program.command('agents').description('agents and their versions');

  attach(agents.command('list', { isDefault: true }).description('list agents'), async (cli) => {
    const { rows } = await cli.client.list('/v1/agents', agentAnswer, { limit: Infinity });
    printAgents(cli, rows, 'There are no agents. `longhaul agents put FILE` stores one.\n');
  });

  const show = agents.command('show').description('show an agent').argument('<agent>', 'name, or name@version');
  attach(show, async (cli, [name = '']) => {
    const agent = await cli.client.get(pathOf`/v1/agents/${name}`, agentAnswer);
    if (cli.json) cli.printJson(agent);
    else cli.io.out(`${JSON.stringify(agent, null, 2)}\n`);
  });

  const versions = agents.command('versions').description('all versions of an agent').argument('<agent>');
  attach(versions, async (cli, [name = '']) => {
    const query = { limit: 200 };
    const { data } = await cli.client.get(
      pathOf`/v1/agents/${name}/versions`,
      z.looseObject({ data: z.array(agentAnswer) }),
      { query },
    );
    printAgents(cli, data, '');
  });

  const put = agents
    .command('put')
    .description('store an agent file and make it current')
    .argument('<file>', 'YAML or JSON; - is standard input')
    .addHelpText('after', '\nExample:\n  $ longhaul agents put agents/refund-desk.yaml');
  attach(put, (cli, [file = '']) => putAgent(cli, file));
}

async function putAgent(cli: Cli, file: string): Promise<void> {
  const body = await readInput(cli.io, file);
  const { status, answer } = await cli.client.callWithStatus(
    'PUT',
    pathOf`/v1/agents/${nameIn(body, file)}`,
    agentAnswer,
    {
      body,
      headers: { 'content-type': 'application/yaml' },
    },
  );
  if (cli.json) return cli.printJson(answer);
  const said = status === 201 ? 'stored and current' : 'unchanged';
  cli.io.out(`${answer.name}@${shortVersion(answer.version)}  ${said}\n`);
}

/** The path of the request needs the name; everything else about the file is judged by the service. */
function nameIn(text: string, file: string): string {
  try {
    const value: unknown = parse(text);
    if (typeof value === 'object' && value !== null && 'name' in value && typeof value.name === 'string')
      return value.name;
  } catch (err) {
    throw new UsageError(`${file}: ${err instanceof Error ? err.message : String(err)}`);
  }
  throw new UsageError(`${file} names no agent: it needs a line such as \`name: refund-desk\`.`);
}

function printAgents(cli: Cli, rows: readonly Agent[], none: string): void {
  if (cli.json) return rows.forEach((row) => cli.printJson(row));
  if (rows.length === 0) return cli.io.out(none);
  const columns: Column<Agent>[] = [
    { title: 'AGENT', value: (a) => a.name },
    { title: 'VERSION', value: (a) => shortVersion(a.version) },
    { title: 'CURRENT', value: (a) => (a.current ? 'yes' : '') },
    { title: 'MODEL', value: (a) => a.definition.model, flexible: true },
    { title: 'STORED', value: (a) => moment(a.createdAt) },
    { title: 'DESCRIPTION', value: (a) => a.definition.description ?? '', flexible: true },
  ];
  cli.io.out(table(rows, columns, { width: cli.io.columns(), style: cli.style }));
}
