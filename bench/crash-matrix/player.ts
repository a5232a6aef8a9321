// A run as its client lives through it: started, followed on the live stream, asked, answered, told something.
import { type RunEvent, terminalEventTypes } from '../../contracts/events.js';
import { parseSse } from '../../cli/sse.js';
import { sleep } from '../clock.js';
import { Caller } from './caller.js';
import { INPUT, answerTo } from './scenario.js';
import type { World } from './world.js';

/** Before a broken stream is opened again, in milliseconds. */
const PAUSE_MS = 100;

export class Player {
  agentRunId = '';
  /** Gaps and repeats in what the stream told, in words. */
  readonly streamFaults: string[] = [];
  private seen = 0;
  private ended = false;
  private readonly signal: AbortSignal;
  private readonly caller: Caller;
  private readonly answering: Promise<void>[] = [];
  /** An answer of ours was refused: there is nothing left to follow. */
  private readonly broken = new AbortController();

  constructor(
    world: World,
    readonly agent: string,
    signal: AbortSignal,
  ) {
    this.signal = AbortSignal.any([signal, this.broken.signal]);
    this.caller = new Caller(world, this.signal);
  }

  /** Resolves when the run has ended and the stream has told so. */
  async play(): Promise<void> {
    const run = await this.caller.ok('POST', '/v1/runs', { agent: this.agent, input: INPUT }, this.agent);
    this.agentRunId = String(run['id']);
    while (!this.ended) {
      await this.follow().catch(() => undefined);
      this.signal.throwIfAborted();
      if (!this.ended) await sleep(PAUSE_MS);
    }
    await Promise.all(this.answering);
  }

  private async follow(): Promise<void> {
    for await (const message of parseSse(await this.caller.stream(this.agentRunId, this.seen))) {
      if (message === 'comment' || message.event === 'delta') continue;
      const event = JSON.parse(message.data) as RunEvent;
      if (event.seq !== this.seen + 1) this.streamFaults.push(`event ${event.seq} came after ${this.seen}`);
      this.seen = event.seq;
      if (event.type === 'approval.requested') this.answerSoon(event);
      if (terminalEventTypes.includes(event.type)) this.ended = true;
    }
  }

  private answerSoon(event: RunEvent): void {
    const answering = this.answer(event);
    answering.catch((err: unknown) => this.broken.abort(err));
    this.answering.push(answering);
  }

  private async answer({ step = 0, data }: RunEvent): Promise<void> {
    const { decision, edited, message } = answerTo(step);
    const { approvalId, argumentsDigest } = data;
    if (message !== undefined) {
      await this.caller.ok('POST', `/v1/runs/${this.agentRunId}/messages`, { content: message }, `message ${step}`);
    }
    const body = { decision, argumentsDigest, ...(edited ? { arguments: edited } : {}) };
    await this.caller.ok('POST', `/v1/approvals/${String(approvalId)}/decision`, body, `decision ${step}`);
  }
}
