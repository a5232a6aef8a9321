// longhaul audit: is the log whole and unchanged, at the service or in an exported file; the export; the checkpoints.
import { createReadStream, createWriteStream, readFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { type AuditProblem, type AuditReport, auditReport, checkpoint } from '../../contracts/audit.js';
import { AuditFileCheck } from '../../harness/log/auditFile.js';
import { isPublicKey } from '../../harness/log/auditKey.js';
import { type Attach, type Cli, collect } from '../cli.js';
import { UsageError } from '../errors.js';
import { moment } from '../render/format.js';
import { oneLine } from '../render/style.js';
import { table } from '../render/table.js';

export function addAudit(program: Command, attach: Attach): void {
  const audit = program.command('audit').description('check, export and list what proves the log');

  const verify = audit
    .command('verify')
    .description('check every event and checkpoint; without a file, at the service')
    .argument('[file]', 'an export, checked here without the service')
    .option('--run <run>', 'only this run (without a file)')
    .option(
      '--trust <key>',
      'public key whose signatures count (ed25519:…), can be repeated; "any" trusts every key',
      collect,
    )
    .addHelpText('after', VERIFY_HELP);
  attach<{ run?: string; trust?: string[] }>(verify, async (cli, [file], { run, trust }) => {
    if (file === undefined && trust !== undefined)
      throw new UsageError('--trust is for files: a service knows its keys');
    if (file !== undefined && run !== undefined)
      throw new UsageError('--run is for the service: a file is checked whole');
    const report =
      file === undefined
        ? await cli.client.get('/v1/audit/verify', auditReport, { query: { runId: run } })
        : await checkFile(file, trustedKeys(cli, trust));
    if (cli.json) cli.printJson(report);
    else cli.io.out(describe(cli, report));
    return report.ok ? 0 : 1;
  });

  const save = audit
    .command('export')
    .description('write the audit as JSON lines, signed, without content')
    .option('--run <run>', 'only this run')
    .option('--output <file>', 'default: standard output');
  attach<{ run?: string; output?: string }>(save, async (cli, _words, { run, output }) => {
    const response = await cli.client.send('GET', '/v1/audit/export', { query: { runId: run } });
    if (!response.body) throw new Error('the service answered without an export');
    const body = Readable.fromWeb(response.body);
    if (output === undefined)
      for await (const chunk of body) cli.io.out(Buffer.from(chunk as Uint8Array).toString('utf8'));
    else await pipeline(body, createWriteStream(output, { mode: 0o600 }));
  });

  const list = audit.command('checkpoints').description('list signed checkpoints');
  attach(list, async (cli) => {
    const { rows } = await cli.client.list('/v1/audit/checkpoints', checkpoint.loose(), { limit: Infinity });
    if (cli.json) return rows.forEach((row) => cli.printJson(row));
    if (rows.length === 0)
      return cli.io.out('There are no checkpoints yet: the first is made when a run has events.\n');
    const columns = [
      { title: 'NUMBER', value: (c: (typeof rows)[number]) => String(c.number), align: 'right' as const },
      { title: 'MADE', value: (c: (typeof rows)[number]) => moment(c.at) },
      { title: 'RUNS', value: (c: (typeof rows)[number]) => String(c.heads.length), align: 'right' as const },
      { title: 'HASH', value: (c: (typeof rows)[number]) => c.hash },
    ];
    cli.io.out(table(rows, columns, { width: cli.io.columns(), style: cli.style }));
  });
}

const VERIFY_HELP = `
A file is checked against keys that you know: --trust, LONGHAUL_AUDIT_TRUST, or audit-key.pub in the data folder.
Exit code 0: whole and unchanged. 1: it is not, and the first bad event is named.

Examples:
  $ longhaul audit verify
  $ longhaul audit export --output audit.ndjson
  $ longhaul audit verify audit.ndjson --trust ed25519:5bF…`;

async function checkFile(file: string, trusted: readonly string[] | undefined): Promise<AuditReport> {
  const check = new AuditFileCheck(trusted);
  try {
    for await (const chunk of createReadStream(file)) check.write(chunk as Buffer);
  } catch (err) {
    throw new UsageError(`${file} cannot be read: ${err instanceof Error ? err.message : String(err)}`);
  }
  return check.finish();
}

/** Whoever can change an export can sign it anew, with a key of their own: somebody must say which keys count. */
function trustedKeys({ io }: Cli, given: readonly string[] | undefined): readonly string[] | undefined {
  if (given?.includes('any')) return undefined;
  const named = given ?? (io.env['LONGHAUL_AUDIT_TRUST'] ?? '').split(/[\s,]+/).filter(Boolean);
  const wrong = named.find((key) => !isPublicKey(key));
  if (wrong !== undefined) throw new UsageError(`${wrong} is no public key such as ed25519: and 43 characters`);
  if (named.length > 0) return named;
  const file = path.join(path.resolve(io.env['LONGHAUL_DATA_DIR'] || '.longhaul'), 'audit-key.pub');
  try {
    return [readFileSync(file, 'utf8').trim()];
  } catch {
    throw new UsageError(
      `Whose signature counts? Give --trust with the service's public key (it is in the service's data folder as ` +
        `audit-key.pub; looked for ${file}), or --trust any to check only that the file is one piece.`,
    );
  }
}

function describe({ style }: Cli, report: AuditReport): string {
  const { ok, runs, events, checkpoints, unsigned, latest, problems } = report;
  const counted = `${events} events of ${runs} runs, ${checkpoints} checkpoints`;
  const lines = ok
    ? [`${style.green('ok')}  ${counted}`]
    : [`${style.red('not ok')}  ${counted}`, ...problems.map((problem) => `  ${oneLine(placeOf(problem))}`)];
  if (unsigned > 0) lines.push(`  ${unsigned} events are newer than the last checkpoint of their run`);
  if (latest) lines.push(`  checkpoint ${latest.number} of ${moment(latest.at)}, hash ${latest.hash}`);
  return `${lines.join('\n')}\n`;
}

function placeOf({ where, runId, seq, checkpoint: number, line, problem }: AuditProblem): string {
  const at = line === undefined ? '' : `line ${line}: `;
  if (where === 'event') return `${at}event ${seq} of ${runId} ${problem}`;
  return where === 'checkpoint' ? `${at}checkpoint ${number} ${problem}` : `${at}${problem}`;
}
