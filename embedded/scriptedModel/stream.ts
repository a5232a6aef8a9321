// A reply on its way to the client, piece by piece or whole; and the ways in which it breaks on purpose.
import type { ServerResponse } from 'node:http';
import { setTimeout as sleepFor } from 'node:timers/promises';
import { type StreamEvent, streamEvents } from './events.js';
import { sendError, sendJson } from './http.js';
import type { JournalEntry } from './journal.js';
import type { ReplyMessage } from './render.js';
import type { Answer, Fault, HoldPoint } from './script.js';

export interface Delivery {
  requestId: string;
  answer: Answer;
  fault: Fault | undefined;
  /** The client went away. */
  gone: AbortSignal;
  holdAt: (at: HoldPoint) => Promise<void>;
  /** Called before the last bytes leave: a client that has the whole reply must find it on the bill. */
  finish: (status: JournalEntry['status'], detail?: string) => void;
  /** The client was told what the whole reply costs; before, it knows of the input only. */
  announce: () => void;
}

/** Returns early when the client goes. */
export const sleep = (ms: number, gone: AbortSignal): Promise<void> =>
  sleepFor(ms, undefined, { signal: gone }).catch(() => undefined);

export async function sendStream(response: ServerResponse, message: ReplyMessage, to: Delivery): Promise<void> {
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache',
    'request-id': to.requestId,
  });
  response.flushHeaders();
  const events = streamEvents(message, to.answer.chunkChars);
  const breakAt = to.fault && breakIndex(to.fault, events);
  const badJsonAt = to.fault?.kind === 'badJson' ? toolEnd(events) : -1;
  let deltas = 0;
  const { send, fits } = sender(response, to);
  for (const [i, event] of events.entries()) {
    if (to.fault && i === breakAt && !(await goesOn(response, to.fault, event, to))) return;
    if (to.gone.aborted) return to.finish('aborted');
    if (i === badJsonAt) {
      const delta = { type: 'input_json_delta', partial_json: '}{' };
      send({ type: 'content_block_delta', index: event['index'], delta });
    }
    if (event.type === 'message_stop') {
      await to.holdAt('beforeStop');
      if (to.fault?.kind === 'noStop') {
        to.finish('faulted', 'noStop');
        return void response.end();
      }
      if (to.gone.aborted) return to.finish('aborted');
      if (badJsonAt >= 0) to.finish('faulted', 'badJson');
      if (fits(event)) to.finish('answered');
    }
    if (!send(event)) return until(to.gone);
    if (event.type === 'message_delta') to.announce();
    if (event.type === 'message_start' && !send({ type: 'ping' })) return until(to.gone);
    if (event.type !== 'content_block_delta') continue;
    if (deltas++ === 0) await to.holdAt('afterFirstDelta');
    if (to.answer.chunkDelayMs > 0) await sleep(to.answer.chunkDelayMs, to.gone);
  }
  response.end();
}

/** Sends event by event; false once the stream was cut, at a byte that the fault names. */
function sender(response: ServerResponse, { fault, finish }: Delivery) {
  let left = fault?.kind === 'cut' ? (fault.afterBytes ?? Infinity) : Infinity;
  const fits = (event: StreamEvent): boolean => Buffer.byteLength(textOf(event)) <= left;
  const send = (event: StreamEvent): boolean => {
    const bytes = Buffer.from(textOf(event));
    if (fits(event)) {
      left -= bytes.length;
      response.write(bytes);
      return true;
    }
    finish('faulted', 'cut');
    if (left === 0) response.destroy();
    else response.write(bytes.subarray(0, left), () => response.destroy());
    return false;
  };
  return { send, fits };
}

/** The event before which the stream breaks: at the latest the last one, so that no fault is lost on a short reply. */
function breakIndex({ kind, afterEvents, afterBytes }: Fault, events: readonly StreamEvent[]): number | undefined {
  if (afterBytes !== undefined && kind === 'cut') return undefined;
  if (kind === 'status' || kind === 'noStop' || kind === 'badJson') return undefined;
  if (afterEvents !== 'toolInput') return Math.min(afterEvents, events.length - 1);
  const first = events.findIndex((e) => (e['delta'] as StreamEvent | undefined)?.type === 'input_json_delta');
  return first < 0 ? events.length - 1 : first + 1;
}

function toolEnd(events: readonly StreamEvent[]): number {
  const start = events.find((e) => (e['content_block'] as StreamEvent | undefined)?.type === 'tool_use');
  return events.findIndex((e) => e.type === 'content_block_stop' && e['index'] === start?.['index']);
}

/** Whether the stream goes on after the fault. */
async function goesOn(response: ServerResponse, fault: Fault, next: StreamEvent, to: Delivery): Promise<boolean> {
  if (fault.kind === 'stall' && fault.forMs !== undefined) {
    await sleep(fault.forMs, to.gone);
    return true;
  }
  to.finish('faulted', fault.kind);
  switch (fault.kind) {
    case 'errorEvent':
      send(response, {
        type: 'error',
        error: errorBody(fault, 'overloaded_error'),
        request_id: to.requestId,
      });
      response.end();
      break;
    case 'garbage':
      response.write('event: content_block_delta\ndata: {"type": "content_block_delta", \u0007 not json\n\n');
      response.end();
      break;
    case 'stall':
      await until(to.gone);
      break;
    default:
      // In the middle of an event, after what was written has left: else the client would not see the beginning.
      response.write(textOf(next).slice(0, 40), () => response.destroy());
      await until(to.gone);
  }
  return false;
}

const errorBody = (fault: Fault, type: string) => ({
  type: fault.type ?? type,
  message: fault.message,
  ...(fault.code === undefined ? {} : { details: { error_code: fault.code } }),
});

/** What the faults of a stream are for a request that wants the reply in one piece. */
export async function sendWhole(response: ServerResponse, message: ReplyMessage, to: Delivery): Promise<void> {
  await to.holdAt('afterFirstDelta');
  await to.holdAt('beforeStop');
  if (to.fault?.kind === 'stall' && to.fault.forMs !== undefined) await sleep(to.fault.forMs, to.gone);
  else if (to.fault) return breakWhole(response, to.fault, message, to);
  if (to.gone.aborted) return to.finish('aborted');
  to.finish('answered');
  sendJson(response, 200, message, { 'request-id': to.requestId });
}

async function breakWhole(response: ServerResponse, fault: Fault, message: ReplyMessage, to: Delivery): Promise<void> {
  to.finish('faulted', fault.kind);
  if (fault.kind === 'errorEvent') {
    return sendError(response, { status: 529, type: 'overloaded_error', message: fault.message }, to.requestId);
  }
  response.writeHead(200, { 'content-type': 'application/json', 'request-id': to.requestId });
  response.flushHeaders();
  if (fault.kind === 'stall') return until(to.gone);
  const part = JSON.stringify(message).slice(0, 60);
  if (fault.kind === 'garbage' || fault.kind === 'badJson') return void response.end(part);
  response.write(part, () => response.destroy());
}

const until = (gone: AbortSignal): Promise<void> =>
  gone.aborted
    ? Promise.resolve()
    : new Promise((resolve) => gone.addEventListener('abort', () => resolve(), { once: true }));

const textOf = (event: StreamEvent): string => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
const send = (response: ServerResponse, event: StreamEvent): void => void response.write(textOf(event));
