// longhaul keys: API keys for people and programs.
import type { Command } from 'commander';
import type { z } from 'zod';
import { type Attach, collect, pathOf } from '../cli.js';
import { UsageError } from '../errors.js';
import { moment } from '../render/format.js';
import { type Column, table } from '../render/table.js';
import { keyAnswer, pageOf } from '../shapes.js';

export function addKeys(program: Command, attach: Attach): void {
  const keys = program.command('keys').description('API keys (needs the role admin)');

  attach(keys.command('list', { isDefault: true }).description('list keys'), async (cli) => {
    const { data } = await cli.client.get('/v1/keys', pageOf(keyAnswer));
    if (cli.json) return data.forEach((row) => cli.printJson(row));
    const columns: Column<z.infer<typeof keyAnswer>>[] = [
      { title: 'KEY', value: (k) => k.id },
      { title: 'NAME', value: (k) => k.name, flexible: true },
      { title: 'ROLES', value: (k) => k.roles.join(', ') },
      { title: 'MADE', value: (k) => moment(k.createdAt) },
      { title: 'REVOKED', value: (k) => (k.revokedAt === undefined ? '' : moment(k.revokedAt)) },
    ];
    cli.io.out(table(data, columns, { width: cli.io.columns(), style: cli.style }));
  });

  const create = keys
    .command('create')
    .description('make a key; it is shown this once')
    .argument('<name>', 'for whom or what it is')
    .option('--role <role>', 'viewer, operator, approver or admin; may be repeated', collect)
    .addHelpText('after', '\nExample:\n  $ longhaul keys create anna --role operator --role approver');
  attach<{ role?: string[] }>(create, async (cli, [name = ''], { role }) => {
    if (role === undefined) throw new UsageError('Which roles? Give --role viewer, operator, approver or admin.');
    const made = await cli.client.post('/v1/keys', keyAnswer, { name, roles: role });
    if (cli.json) return cli.printJson(made);
    cli.io.err(`${made.id}  ${made.name}: ${made.roles.join(', ')}. The key is shown this once:\n`);
    cli.io.out(`${made.key ?? ''}\n`);
  });

  const revoke = keys.command('revoke').description('a key stops working within seconds').argument('<key-id>');
  attach(revoke, async (cli, [id = '']) => {
    const key = await cli.client.call('DELETE', pathOf`/v1/keys/${id}`, keyAnswer, {});
    if (cli.json) return cli.printJson(key);
    cli.io.out(`${key.id}  ${key.name}  revoked\n`);
  });
}
