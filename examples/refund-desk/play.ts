// The demo's story: a run, a worker killed in the middle of a payment, a person's approval.
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Cli } from '../../cli/cli.js';
import { decide, readApproval, showApproval } from '../../cli/decide.js';
import { ProblemError } from '../../cli/errors.js';
import { RunHistory, eventLine } from '../../cli/render/events.js';
import { type EventAnswer, eventAnswer, runAnswer, stepAnswer } from '../../cli/shapes.js';
import { follow } from '../../cli/sse.js';
import { terminalEventTypes } from '../../contracts/events.js';
import { type LedgerEntry, ledgerEntry } from './ledger.js';
import type { Stage } from './stage.js';

const INPUT = 'Work through the letters of today and write report.md.';

/** Without progress for this long, in milliseconds, something is wrong. A real model may think for minutes. */
const STANDSTILL_MS = { scripted: 90_000, real: 300_000 };
/** Asking again and again is no progress. */
const NO_PROGRESS: ReadonlySet<string> = new Set(['model.requested', 'model.failed', 'tool.failed', 'run.waiting']);

export interface Played {
  runId: string;
  /** The payment inside of which the worker was killed. */
  killedIn: LedgerEntry | undefined;
}

export interface Director {
  cli: Cli;
  /** Approve without asking. */
  yes: boolean;
  signal: AbortSignal;
  interrupt: () => void;
}

export async function play(stage: Stage, director: Director): Promise<Played> {
  const { client } = stage;
  const { io, style } = director.cli;
  await fetch(`${stage.payments.url}/_demo/hold`, { method: 'POST' });
  const headers = { 'idempotency-key': `refund-desk-demo-${Date.now()}` };
  const run = await client.post(
    '/v1/runs',
    runAnswer,
    { agent: 'refund-desk', input: INPUT, metadata: { demo: 'yes' } },
    { headers },
  );
  io.out(`\n${style.bold(run.id)}  refund-desk@${run.agentVersion.slice(0, 12)}  model ${stage.model}\n`);
  if (run.links.temporal !== undefined) io.out(`${style.dim(run.links.temporal)}\n`);
  io.out('\n');

  const over = new AbortController();
  const kill = killInsidePayment(stage, director, AbortSignal.any([director.signal, over.signal]));
  // Awaited below; until then a failure ends the watching.
  kill.catch(() => over.abort());
  try {
    await watch(stage, director, run.id, AbortSignal.any([director.signal, over.signal]));
  } finally {
    over.abort();
  }
  return { runId: run.id, killedIn: await kill };
}

const holdAnswer = z.object({ held: ledgerEntry.nullable() });

/** Waits until a refund is in the ledger and unanswered; that is when the worker dies. */
async function killInsidePayment(
  stage: Stage,
  { cli, signal }: Director,
  over: AbortSignal,
): Promise<LedgerEntry | undefined> {
  for (;;) {
    const answer = await fetch(`${stage.payments.url}/_demo/hold`);
    const { held } = holdAnswer.parse(await answer.json());
    if (held === null) {
      if (over.aborted) return undefined;
      await sleep(50);
      continue;
    }
    const note = (text: string): void => cli.io.out(`${cli.style.yellow(`>>> ${text}`)}\n`);
    note(
      `Refund ${held.refundId} of $${held.amountUsd.toFixed(2)} for ${held.orderId} is in the payment service's ledger.`,
    );
    note(`Its answer is held back: the money has moved, and Longhaul does not know it.`);
    const { pid } = stage.worker;
    await stage.worker.kill();
    note(`The worker (process ${pid}) was killed with SIGKILL.`);
    if (signal.aborted) return held;
    stage.worker = await stage.services.startWorker({ LONGHAUL_WORKER_NAME: 'demo' });
    note(`Another worker (process ${stage.worker.pid}) is up. The run goes on by itself.`);
    return held;
  }
}

async function watch(stage: Stage, director: Director, runId: string, signal: AbortSignal): Promise<void> {
  const { cli } = director;
  const history = new RunHistory();
  const patienceMs = stage.model.startsWith('scripted/') ? STANDSTILL_MS.scripted : STANDSTILL_MS.real;
  let said = '';
  const tooLong = new AbortController();
  const watchdog = setTimeout(() => tooLong.abort(), patienceMs);
  try {
    for await (const message of events(stage, runId, AbortSignal.any([signal, tooLong.signal]))) {
      const event = eventAnswer.parse(JSON.parse(message.data));
      if (!NO_PROGRESS.has(event.type)) watchdog.refresh();
      if (event.type === 'model.failed') said = `; the model: ${String(event.data['message'])}`;
      history.take(event);
      await learnStep(stage, history, runId, event);
      const line = eventLine(event, history, { style: cli.style, verbose: false });
      // The command to approve it is not needed here: the demo asks by itself.
      if (line !== undefined) cli.io.out(`${event.type === 'approval.requested' ? line.split('\n')[0] : line}\n`);
      if (event.type === 'approval.requested') {
        clearTimeout(watchdog); // a person may take their time
        await askForApproval(director, String(event.data['approvalId']));
        watchdog.refresh();
      }
    }
  } finally {
    clearTimeout(watchdog);
  }
  if (tooLong.signal.aborted) throw new Error(`no progress for ${patienceMs / 1000} seconds${said}`);
}

function events({ client }: Stage, runId: string, signal: AbortSignal) {
  return follow({
    after: 0,
    signal,
    open: (after, connection) =>
      client.send('GET', `/v1/runs/${runId}/stream`, {
        headers: { 'last-event-id': String(after) },
        signal: connection,
      }),
    isOver: async (_last, event) => terminalEventTypes.some((type) => type === event),
    isFatal: (err) => err instanceof ProblemError && err.problem.status < 500,
  });
}

async function learnStep({ client }: Stage, history: RunHistory, runId: string, event: EventAnswer): Promise<void> {
  if (event.step === undefined || event.type === 'model.requested' || history.knowsStep(event.step)) return;
  history.addStep(await client.get(`/v1/runs/${runId}/steps/${event.step}`, stepAnswer));
}

async function askForApproval({ cli, yes, interrupt }: Director, approvalId: string): Promise<void> {
  const approval = await readApproval(cli, approvalId);
  cli.io.out('\n');
  showApproval(cli, approval);
  if (yes || !cli.io.canAsk) {
    cli.io.out(
      `${cli.style.yellow(`Approved by the demo itself, because ${yes ? 'of --yes' : 'this is no terminal'}.`)}\n`,
    );
  } else {
    const answer = await cli.io.ask('Approve this refund? [y/N] ');
    if (answer === undefined) return interrupt();
    if (!/^y(es)?$/i.test(answer.trim())) return void (await decide(cli, approval, { decision: 'reject' }));
  }
  await decide(cli, approval, { decision: 'approve' });
  cli.io.out('\n');
}
