// A run's events as server-sent events: from the log, in order, then live, without gap or repeat.
import { once } from 'node:events';
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
/** For what was written to leave a process that stops, in milliseconds. */
const LAST_WORDS_MS = 1000;
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
  // Aborted when the reader is gone or the process stops.
  const leaving = new AbortController();
  const over = leaving.signal;
  let stopping = false;
  out.on('close', () => leaving.abort());
  out.on('error', () => leaving.abort());
  if (out.destroyed) leaving.abort(); // gone while the run was looked up
  out.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    'x-content-type-options': 'nosniff',
    'x-request-id': request.id,
  });
  out.write(': connected\n\n');

  const signal = new Signal();
  over.addEventListener('abort', () => signal.set());
  const leave = hub.join(agentRunId, {
    wake: () => signal.set(),
    end: () => {
      stopping = true;
      leaving.abort();
    },
    ...(deltas ? { delta: (delta: Delta) => sendDelta(delta) } : {}),
  });

  function sendDelta({ runId: _, ...delta }: Delta): void {
    if (out.writableLength < MAX_BEHIND) out.write(`event: delta\ndata: ${JSON.stringify(delta)}\n\n`);
  }

  let sent = after;
  try {
    while (!over.aborted) {
      const events = await readEvents(pool, agentRunId, sent, PAGE);
      for (const event of events) {
        if (over.aborted) return;
        if (!out.write(frame(event))) await drained(out, over);
        sent = event.seq;
      }
      if (events.length === PAGE) continue;
      if (await isOver(agentRunId, sent, events.at(-1))) return;
      const woken = await signal.wait(HEARTBEAT_MS);
      if (!woken && !over.aborted) out.write(': still here\n\n');
    }
  } catch (err) {
    // The reader comes back with Last-Event-ID and misses nothing.
    log.warn({ err, agentRunId }, 'a stream was broken off');
  } finally {
    leave();
    out.end();
    // A reader that does not read would keep a stopping process open.
    if (stopping) setTimeout(() => out.destroy(), LAST_WORDS_MS).unref();
  }

  /** Over when the last event is terminal and the run was not resumed since. */
  async function isOver(id: string, seq: number, last: RunEvent | undefined): Promise<boolean> {
    if (last && !terminalEventTypes.includes(last.type) && last.type !== 'run.erased') return false;
    const run = await findRun(pool, id);
    return !run || (isClosed(run.status) && run.lastSeq <= seq);
  }
}

const frame = (event: RunEvent): string => `id: ${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;

/** Also when the reader is gone. */
const drained = (out: NodeJS.WritableStream, gone: AbortSignal): Promise<unknown> =>
  once(out, 'drain', { signal: gone }).catch(() => undefined);

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
