// longhaul mcp: what the MCP servers of an agent have offered, and consent to what came or changed later.
import type { Command } from 'commander';
import { z } from 'zod';
import { type McpTool, mcpTool } from '../../contracts/mcp.js';
import { type Attach, type Cli, pathOf } from '../cli.js';
import { confirm } from '../decide.js';
import { UsageError } from '../errors.js';
import { type Column, table } from '../render/table.js';
import { harmless } from '../render/style.js';

const answer = z.object({ data: z.array(mcpTool.loose()) });

export function addMcp(program: Command, attach: Attach): void {
  const command = program
    .command('mcp')
    .description('list what the MCP servers of an agent have offered, or agree to a definition that is held')
    .argument('<agent>')
    .option('--agree <tool>', 'show what the tool is now, and agree to it')
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', '\nExamples:\n  $ longhaul mcp helpdesk\n  $ longhaul mcp helpdesk --agree tickets_create');
  attach<{ agree?: string; yes?: boolean }>(command, async (cli, [agent = ''], { agree, yes }) => {
    const { data } = await cli.client.get(pathOf`/v1/agents/${agent}/mcp-tools`, answer);
    return agree === undefined ? list(cli, data) : consent(cli, agent, { data, name: agree, yes: yes === true });
  });
}

function list(cli: Cli, data: McpTool[]): void {
  if (cli.json) return data.forEach((row) => cli.printJson(row));
  if (data.length === 0) return cli.io.out('No MCP server of this agent was asked yet; its first run asks.\n');
  const columns: Column<McpTool>[] = [
    { title: 'TOOL', value: (t) => t.name },
    { title: 'STATUS', value: (t) => t.status },
    { title: 'HASH', value: (t) => t.hash.slice(0, 12) },
    { title: 'WHY', value: (t) => t.why, flexible: true },
  ];
  cli.io.out(table(data, columns, { width: cli.io.columns(), style: cli.style }));
}

async function consent(
  cli: Cli,
  agent: string,
  { data, name, yes }: { data: McpTool[]; name: string; yes: boolean },
): Promise<number> {
  const held = data.filter((tool) => tool.name === name && tool.status === 'held');
  const before = data.find((tool) => tool.name === name && tool.status === 'agreed');
  const [tool] = held.toSorted((a, b) => Date.parse(b.seenAt) - Date.parse(a.seenAt));
  if (!tool) {
    throw new UsageError(before ? `${name} is agreed to as it is.` : `No server of ${agent} has offered ${name}.`);
  }
  const show = cli.json ? (text: string) => cli.io.err(text) : (text: string) => cli.io.out(text);
  const text = (definition: McpTool['definition']): string => `${harmless(JSON.stringify(definition, null, 2))}\n`;
  if (before) show(`${cli.style.bold('agreed to')}  ${before.hash.slice(0, 12)}\n${text(before.definition)}`);
  show(`${cli.style.bold('now')}  ${tool.hash.slice(0, 12)} (${tool.why})\n${text(tool.definition)}`);
  if (!(await confirm(cli, `Agree to this ${name}?`, yes))) {
    cli.io.err('Nothing was agreed to.\n');
    return 1;
  }
  const body = { server: tool.server, tool: tool.tool, hash: tool.hash };
  const agreed = await cli.client.post(pathOf`/v1/agents/${agent}/mcp-tools/agree`, mcpTool.loose(), body);
  if (cli.json) cli.printJson(agreed);
  else cli.io.out(`${cli.style.green('agreed')}  ${name} ${agreed.hash.slice(0, 12)}\n`);
  return 0;
}
