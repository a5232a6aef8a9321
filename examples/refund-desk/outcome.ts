// What the demo shows at its end, and whether it kept its promises.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import type { Cli } from '../../cli/cli.js';
import { moment } from '../../cli/render/format.js';
import { summary } from '../../cli/render/run.js';
import { stepTable } from '../../cli/render/steps.js';
import { harmless } from '../../cli/render/style.js';
import { table } from '../../cli/render/table.js';
import { approvalAnswer, runAnswer, stepAnswer } from '../../cli/shapes.js';
import { ledgerEntry } from './ledger.js';
import type { Played } from './play.js';
import type { Stage } from './stage.js';

const ledgerAnswer = z.object({
  /** `requests`: how often a refund was asked for. */
  entries: z.array(ledgerEntry.extend({ requests: z.number() })),
});
type Ledger = z.infer<typeof ledgerAnswer>['entries'];

/** Returns the promises that were broken. */
export async function showOutcome(stage: Stage, cli: Cli, played: Played): Promise<string[]> {
  const { client, services } = stage;
  const { io, style } = cli;
  const title = (text: string): void => io.out(`\n${style.bold(text)}\n`);
  const run = await client.get(`/v1/runs/${played.runId}`, runAnswer);
  const { rows: steps } = await client.list(`/v1/runs/${run.id}/steps`, stepAnswer, { limit: 1000 });
  const ledger = await readLedger(stage, run.id);

  io.out(`\n${summary(run, style)}\n`);
  if (run.output !== undefined) io.out(`\n${harmless(run.output.text)}\n`);
  const report = path.join(stage.dataDir, 'workspaces', run.id, 'report.md');
  if (existsSync(report)) {
    title('report.md');
    io.out(harmless(readFileSync(report, 'utf8')));
  }
  title('Steps');
  io.out(stepTable(steps, style, io.columns()));
  title(`Ledger of the payment service`);
  io.out(ledgerTable(ledger, cli));

  const approvals = await client.list('/v1/approvals', approvalAnswer, { query: { runId: run.id }, limit: 200 });
  const granted = new Set(
    approvals.rows.filter((a) => ['approved', 'edited'].includes(a.status)).map((a) => a.toolCallId),
  );
  title('What was promised');
  const broken = promises(run.status, played, ledger, granted).filter(([text, kept]) => {
    io.out(`  ${kept ? style.green('kept  ') : style.red('BROKEN')}  ${text}\n`);
    return !kept;
  });

  title('Look at it, while it runs (--keep leaves it running)');
  if (run.links.temporal !== undefined) io.out(`  Temporal UI   ${run.links.temporal}\n`);
  io.out(`  API           ${services.apiUrl}/docs   (key: ${services.adminKeyFile})\n`);
  io.out(`  command line  LONGHAUL_DATA_DIR=${stage.dataDir} npx longhaul show ${run.id} --url ${services.apiUrl}\n`);
  io.out(`  log           ${stage.logFile}\n`);
  return broken.map(([text]) => text);
}

async function readLedger({ payments }: Stage, runId: string): Promise<Ledger> {
  const answer = await fetch(`${payments.url}/ledger`);
  return ledgerAnswer.parse(await answer.json()).entries.filter((entry) => entry.runId === runId);
}

const ledgerTable = (ledger: Ledger, { io, style }: Cli): string =>
  table(
    ledger,
    [
      { title: 'REFUND', value: (e) => e.refundId },
      { title: 'ORDER', value: (e) => e.orderId },
      { title: 'USD', value: (e) => e.amountUsd.toFixed(2), align: 'right' },
      { title: 'TIMES ASKED FOR', value: (e) => String(e.requests), align: 'right' },
      { title: 'AT', value: (e) => moment(e.at) },
      { title: 'IDEMPOTENCY KEY', value: (e) => e.idempotencyKey, flexible: true },
    ],
    { width: io.columns(), style },
  );

/** Above this, in US dollars, the agent file asks a person. */
const ASKS_ABOVE = 50;

function promises(
  status: string,
  { killedIn }: Played,
  ledger: Ledger,
  granted: ReadonlySet<string>,
): [string, boolean][] {
  const orders = ledger.map((e) => e.orderId);
  const again = ledger.filter((e) => e.orderId === killedIn?.orderId);
  const large = ledger.filter((e) => e.amountUsd > ASKS_ABOVE);
  return [
    ['the run completed', status === 'completed'],
    ['the worker was killed inside of a payment', killedIn !== undefined],
    [
      `that payment${killedIn ? ` (${killedIn.orderId})` : ''} was asked for again by the second worker and made once`,
      again.length === 1 && (again[0]?.requests ?? 0) > 1,
    ],
    ['no order was refunded twice', new Set(orders).size === orders.length],
    [
      `every refund above $${ASKS_ABOVE} was approved`,
      large.every((e) => granted.has(e.idempotencyKey.split(':')[1] ?? '')),
    ],
  ];
}
