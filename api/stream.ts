// A run's events as server-sent events: from the log, in order, then live, without gap or repeat.
import type { FastifyRequest, FastifyReply } from 'fastify';
import { isClosed } from '../contracts/agentRun.js';
import { type RunEvent, terminalEventTypes } from '../contracts/events.js';
import type { Delta } from '../db/deltas.js';
import { readEvents } from '../db/events.js';
import { findRun } from '../db/runs.js';
import type { ApiDeps } from './deps.js';

/** A comment is sent when nothing else was, in milliseconds: proxies close silent connections. */
const HEARTBEAT_MS = 15_000;
/** Events read at once: what a slow reader costs. */
const PAGE = 200;
/** Bytes a reader may be behind before deltas, which nobody needs twice, are left out. */
const MAX_BEHIND = 64 * 1024;

export interface StreamOptions {
  agentRunId: string;
  after: number;
  deltas: boolean;
}

/** Takes the connection over; returns when the run's last event was sent or the reader is gone. */
export async function streamRun(
  { pool, hub, log }: ApiDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  { agentRunId, after, deltas }: StreamOptions,
): Promise<void> {
  reply.hijack();
  const out = reply.raw;
  const gone = new AbortController();
  out.on('close', () => gone.abort());
  out.on('error', () => gone.abort());
  out.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    'x-request-id': request.id,
  });
  out.write(': connected\n\n');

  const signal = new Signal();
  const leave = hub.join(agentRunId, {
    wake: () => signal.set(),
    ...(deltas ? { delta: (delta: Delta) => sendDelta(delta) } : {}),
  });
  gone.signal.addEventListener('abort', () => signal.set());

  function sendDelta({ runId: _, ...delta }: Delta): void {
    if (out.writableLength < MAX_BEHIND) out.write(`event: delta\ndata: ${JSON.stringify(delta)}\n\n`);
  }

  let sent = after;
  try {
    while (!gone.signal.aborted) {
      const events = await readEvents(pool, agentRunId, sent, PAGE);
      for (const event of events) {
        if (!out.write(frame(event))) await drained(out, gone.signal);
        sent = event.seq;
      }
      if (events.length === PAGE) continue;
      if (await isOver(agentRunId, sent, events.at(-1))) return;
      const woken = await signal.wait(HEARTBEAT_MS);
      if (!woken && !gone.signal.aborted) out.write(': still here\n\n');
    }
  } catch (err) {
    // The reader comes back with Last-Event-ID and misses nothing.
    log.warn({ err, agentRunId }, 'a stream was broken off');
  } finally {
    leave();
    out.end();
  }

  /** Over when the last event is terminal and the run was not resumed since. */
  async function isOver(id: string, seq: number, last: RunEvent | undefined): Promise<boolean> {
    if (last && !terminalEventTypes.includes(last.type) && last.type !== 'run.erased') return false;
    const run = await findRun(pool, id);
    return !run || (isClosed(run.status) && run.lastSeq <= seq);
  }
}

const frame = (event: RunEvent): string => `id: ${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;

function drained(out: NodeJS.WritableStream, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      out.removeListener('drain', done);
      gone.removeEventListener('abort', done);
      resolve();
    };
    out.on('drain', done);
    gone.addEventListener('abort', done);
  });
}

/** Remembers a wake-up that comes while nobody waits. */
class Signal {
  private raised = false;
  private waiter: (() => void) | undefined;

  set(): void {
    this.raised = true;
    this.waiter?.();
  }

  /** False when nothing came in time. */
  async wait(timeoutMs: number): Promise<boolean> {
    if (!this.raised) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        this.waiter = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.waiter = undefined;
    }
    const woken = this.raised;
    this.raised = false;
    return woken;
  }
}
