// Follows a run to its end: the log so far, then live, each event once. Ctrl-C leaves the run running.
import { z } from 'zod';
import { type Run, isClosed } from '../contracts/agentRun.js';
import { terminalEventTypes } from '../contracts/events.js';
import { type Cli, pathOf } from './cli.js';
import { readRun } from './readRun.js';
import { ProblemError } from './errors.js';
import { RunHistory, costOf, eventLine } from './render/events.js';
import { length } from './render/format.js';
import { LiveLine } from './render/liveLine.js';
import { advice, exitCodeOf, summary } from './render/run.js';
import { harmless } from './render/style.js';
import { type EventAnswer, eventAnswer, stepAnswer } from './shapes.js';
import { follow } from './sse.js';

export interface WatchOptions {
  after?: number;
  deltas?: boolean;
  verbose?: boolean;
}

const deltaShape = z.looseObject({ step: z.number(), attempt: z.number(), kind: z.string(), text: z.string() });
type Delta = z.infer<typeof deltaShape>;

/** Characters of a reply in the status line. */
const SHOWN_WHILE_WRITING = 60;

/** The exit code: how the run ended, 0 when it was left running. */
export async function watchRun(cli: Cli, id: string, options: WatchOptions = {}): Promise<number> {
  const view = cli.json ? new JsonView(cli) : new LineView(cli, id, options.verbose === true);
  const interrupted = new AbortController();
  const stopListening = cli.io.onInterrupt(() => interrupted.abort());
  try {
    for await (const message of messages(cli, id, options, interrupted.signal, view)) {
      if (message.event === 'delta') view.delta(deltaShape.parse(JSON.parse(message.data)));
      else await view.event(eventAnswer.parse(JSON.parse(message.data)));
    }
  } finally {
    stopListening();
    view.stop();
  }
  if (interrupted.signal.aborted) {
    cli.io.err(`The run goes on. \`longhaul watch ${id}\` watches it again, \`longhaul cancel ${id}\` ends it.\n`);
    return 0;
  }
  const run = await readRun(cli, id);
  view.end(run);
  return exitCodeOf(run.status);
}

function messages(cli: Cli, id: string, options: WatchOptions, signal: AbortSignal, view: View) {
  let connected = false;
  const deltas = options.deltas === true || (cli.io.isTerminal && !cli.json);
  return follow({
    after: options.after ?? 0,
    signal,
    async open(after, connection) {
      const response = await cli.client.send('GET', pathOf`/v1/runs/${id}/stream`, {
        query: deltas ? { deltas: true } : {},
        headers: { accept: 'text/event-stream', 'last-event-id': String(after) },
        signal: connection,
      });
      connected = true;
      return response;
    },
    async isOver(_last, lastEvent) {
      if (terminalEventTypes.some((type) => type === lastEvent) || lastEvent === 'run.erased') return true;
      return isClosed((await readRun(cli, id)).status);
    },
    // Before the first connection any trouble is told at once; later only what another try cannot mend.
    isFatal: (err) =>
      err instanceof ProblemError ? err.problem.status < 500 && err.problem.status !== 429 : !connected,
    onLost: (delayMs) => view.lost(delayMs),
    onBack: () => view.back(),
  });
}

interface View {
  event(event: EventAnswer): Promise<void> | void;
  delta(delta: Delta): void;
  lost(delayMs: number): void;
  back(): void;
  stop(): void;
  end(run: Run): void;
}

/** Events, deltas and at last the run, one JSON document per line. */
class JsonView implements View {
  constructor(private readonly cli: Cli) {}
  event(event: EventAnswer): void {
    this.cli.printJson(event);
  }
  delta(delta: Delta): void {
    this.cli.printJson({ type: 'delta', ...delta });
  }
  end(run: Run): void {
    this.cli.printJson(run);
  }
  lost(): void {}
  back(): void {}
  stop(): void {}
}

class LineView implements View {
  private readonly history = new RunHistory();
  private readonly live: LiveLine;
  private now = 'connecting';
  private since = Date.now();
  private writing: { label: string; text: string } | undefined;
  private cost: string | undefined;
  private isLost = false;

  constructor(
    private readonly cli: Cli,
    private readonly id: string,
    private readonly verbose: boolean,
  ) {
    this.live = new LiveLine(cli.io, () => {
      const parts = [
        this.writing ? this.writing.label + this.writing.text : this.now,
        length(Date.now() - this.since),
        this.cost,
      ];
      return this.isLost ? 'connection lost, trying again' : parts.filter(Boolean).join('  ');
    });
  }

  async event(event: EventAnswer): Promise<void> {
    this.history.take(event);
    await this.learnStep(event);
    const line = eventLine(event, this.history, { style: this.cli.style, verbose: this.verbose });
    this.follow(event);
    if (line !== undefined) this.live.print(line);
  }

  delta({ kind, text, step }: Delta): void {
    const label = `step ${step}  ${kind}: `;
    const before = this.writing?.label === label ? this.writing.text : '';
    // Only the end is visible, so no more of it is kept.
    this.writing = { label, text: harmless((before + text).replaceAll(/\s+/g, ' ')).slice(-SHOWN_WHILE_WRITING) };
  }

  lost(): void {
    if (!this.isLost) this.cli.io.err(this.cli.io.isTerminal ? '' : 'connection lost, trying again …\n');
    this.isLost = true;
  }

  back(): void {
    this.isLost = false;
  }

  stop(): void {
    this.live.stop();
  }

  end(run: Run): void {
    const { io, style } = this.cli;
    const more = advice(run);
    io.out(`\n${summary(run, style)}\n`);
    if (more !== undefined) io.out(`${more}\n`);
    if (run.output !== undefined) io.out(`\n${harmless(run.output.text)}\n`);
  }

  /** Texts and arguments of a step are read once, after the model has replied; again when a person edited them. */
  private async learnStep(event: EventAnswer): Promise<void> {
    const { step } = event;
    const isEdit = event.type === 'approval.decided' && event.data['decision'] === 'edit';
    if (step === undefined || (this.history.knowsStep(step) && !isEdit)) return;
    if (event.type === 'model.requested' || event.type === 'model.failed') return;
    try {
      this.history.addStep(await this.cli.client.get(pathOf`/v1/runs/${this.id}/steps/${String(step)}`, stepAnswer));
    } catch {
      // Erased, or the service is away for a moment: the line then shows the name alone.
    }
  }

  /** What the status line says from here on. */
  private follow(event: EventAnswer): void {
    const step = event.step === undefined ? '' : `step ${event.step}  `;
    const now = {
      'model.requested': `${step}the model is working`,
      'tool.started': `${step}${this.history.call(event)}`,
      'approval.requested': `${step}waiting for approval`,
      'run.waiting': `${step}waiting for ${String(event.data['for'])}`,
      'run.paused': 'paused',
    }[event.type];
    if (now !== undefined || event.type === 'model.replied') {
      this.now = now ?? `${step}working`;
      this.since = Date.parse(event.at);
      this.writing = undefined;
    }
    this.cost = costOf(event) ?? this.cost;
  }
}
