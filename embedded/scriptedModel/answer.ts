// One request from beginning to end: checked, matched with its script, held, broken on purpose, or answered.
import type { ServerResponse } from 'node:http';
import { type MessagesRequest, conversationOf, turnOf, unmet } from './conversation.js';
import type { Holds, Journal, JournalEntry } from './journal.js';
import { type ReplyMessage, renderReply, streamEvents } from './render.js';
import { type Answer, type Fault, type HoldPoint, type Script, answersAt } from './script.js';
import { estimateTokens, validateRequest } from './validateRequest.js';

export interface Context {
  scripts: Map<string, Script>;
  journal: Journal;
  holds: Holds;
  /** Faults that happened, by conversation and turn. */
  faults: Map<string, number>;
  /** Tokens in the prompt cache, by conversation. */
  cached: Map<string, number>;
}

export const scriptNameOf = (model: string): string => model.replace(/^scripted\//, '');

export async function answerRequest(
  context: Context,
  request: MessagesRequest,
  response: ServerResponse,
  gone: AbortSignal,
): Promise<void> {
  const name = scriptNameOf(String(request.model));
  const script = context.scripts.get(name);
  if (!script) {
    const known = [...context.scripts.keys()].join(', ') || 'none';
    return sendError(response, {
      status: 404,
      type: 'not_found_error',
      message: `model: ${name}; the scripts are: ${known}`,
    });
  }
  const refusal = validateRequest(request, script);
  const turn = Array.isArray(request.messages) ? turnOf(request) : 0;
  const conversation = Array.isArray(request.messages) ? conversationOf(request) : '';
  const entry = context.journal.open({ script: name, turn, conversation, request });
  if (refusal) {
    Object.assign(entry, { status: 'refused', detail: refusal.message });
    return sendError(response, refusal);
  }
  const answer = chooseAnswer(script, turn, request);
  const missed = answer.expect && unmet(answer.expect, request);
  if (missed !== undefined) {
    Object.assign(entry, { status: 'refused', detail: missed });
    return sendError(response, {
      status: 400,
      type: 'invalid_request_error',
      message: `script ${name}, turn ${turn}: ${missed}`,
    });
  }
  await hold(context, name, turn, 'before', answer, gone);
  if (answer.delayMs > 0) await sleep(answer.delayMs, gone);
  if (gone.aborted) return void (entry.status = 'aborted');

  const fault = dueFault(context, answer, `${name} ${conversation} ${turn}`);
  const message = renderReply(answer, request, context.cached.get(conversation) ?? 0);
  context.cached.set(conversation, estimateTokens([request.system, request.tools, request.messages]));
  if (fault?.kind === 'status') {
    Object.assign(entry, { status: 'faulted', detail: `status ${fault.status}` });
    return sendError(
      response,
      { status: fault.status, type: fault.type ?? typeOfStatus(fault.status), message: fault.message },
      fault,
    );
  }
  entry.usage = message.usage;
  if (request.stream === true) {
    const holdAt = (at: HoldPoint) => hold(context, name, turn, at, answer, gone);
    return stream(response, message, { entry, fault, gone, holdAt, chunkDelayMs: answer.chunkDelayMs });
  }
  entry.status = 'answered';
  sendJson(response, 200, message);
}

function chooseAnswer(script: Script, turn: number, request: MessagesRequest): Answer {
  const answers = answersAt(script, turn);
  const chosen = answers?.find((a) => a.when === undefined || unmet(a.when, request) === undefined);
  if (chosen) return chosen;
  const text = answers
    ? `The script ${script.name} has no answer for what turn ${turn} was sent.`
    : `The script ${script.name} is over; it has no turn ${turn}.`;
  return { reply: [{ text }], delayMs: 0, chunkDelayMs: 0 };
}

async function hold(
  { holds }: Context,
  script: string,
  turn: number,
  at: HoldPoint,
  answer: Answer,
  gone: AbortSignal,
): Promise<void> {
  const name = holds.take(script, turn, at) ?? (answer.hold?.at === at ? answer.hold.name : undefined);
  if (name !== undefined) await holds.wait(name, gone);
}

function dueFault(context: Context, { fault }: Answer, key: string): Fault | undefined {
  if (!fault) return undefined;
  const happened = context.faults.get(key) ?? 0;
  if (fault.times !== 'always' && happened >= fault.times) return undefined;
  context.faults.set(key, happened + 1);
  return fault;
}

interface Streaming {
  entry: JournalEntry;
  fault: Fault | undefined;
  gone: AbortSignal;
  holdAt: (at: HoldPoint) => Promise<void>;
  chunkDelayMs: number;
}

async function stream(response: ServerResponse, message: ReplyMessage, s: Streaming): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'request-id': `req_${message.id.slice(4)}` });
  const events = streamEvents(message);
  let deltas = 0;
  for (const [i, event] of events.entries()) {
    if (s.gone.aborted) return void (s.entry.status = 'aborted');
    const kind = s.fault && i >= s.fault.afterEvents ? s.fault.kind : undefined;
    if (kind === 'cut' || kind === 'errorEvent' || kind === 'garbage' || kind === 'stall') {
      Object.assign(s.entry, { status: 'faulted', detail: kind });
      return breakStream(response, s.fault as Fault, s.gone);
    }
    if (event.type === 'message_stop') {
      await s.holdAt('beforeStop');
      if (s.fault?.kind === 'noStop') {
        Object.assign(s.entry, { status: 'faulted', detail: 'noStop' });
        return void response.end();
      }
      // Counted before the last bytes leave: a client that has the whole reply must find it on the bill.
      s.entry.status = s.gone.aborted ? 'aborted' : 'answered';
    }
    const broken = s.fault?.kind === 'badJson' && event.type === 'content_block_stop';
    if (broken)
      send(response, {
        type: 'content_block_delta',
        index: event['index'],
        delta: { type: 'input_json_delta', partial_json: '}{' },
      });
    send(response, event);
    if (event.type === 'content_block_delta' && deltas++ === 0) await s.holdAt('afterFirstDelta');
    if (event.type === 'content_block_delta' && s.chunkDelayMs > 0) await sleep(s.chunkDelayMs, s.gone);
  }
  response.end();
}

async function breakStream(response: ServerResponse, fault: Fault, gone: AbortSignal): Promise<void> {
  switch (fault.kind) {
    case 'errorEvent':
      send(response, { type: 'error', error: { type: fault.type ?? 'overloaded_error', message: fault.message } });
      response.end();
      return;
    case 'garbage':
      response.write('event: content_block_delta\ndata: {"type": "content_block_delta", \u0007 not json\n\n');
      response.end();
      return;
    case 'stall':
      await new Promise<void>((resolve) => gone.addEventListener('abort', () => resolve(), { once: true }));
      return;
    default:
      response.destroy();
  }
}

const send = (response: ServerResponse, event: { type: string; [field: string]: unknown }): void =>
  void response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

export function sendError(
  response: ServerResponse,
  error: { status: number; type: string; message: string },
  fault?: Fault,
): void {
  const { status, type, message } = error;
  const details = fault?.code === undefined ? {} : { details: { error_code: fault.code } };
  sendJson(
    response,
    status,
    { type: 'error', error: { type, message, ...details }, request_id: 'req_scripted' },
    {
      'request-id': 'req_scripted',
      ...(fault?.retryAfter === undefined ? {} : { 'retry-after': String(fault.retryAfter) }),
      ...(fault?.shouldRetry === undefined ? {} : { 'x-should-retry': String(fault.shouldRetry) }),
    },
  );
}

const typeOfStatus = (status: number): string =>
  ({
    400: 'invalid_request_error',
    401: 'authentication_error',
    402: 'billing_error',
    403: 'permission_error',
    404: 'not_found_error',
    413: 'request_too_large',
    429: 'rate_limit_error',
    529: 'overloaded_error',
  })[status] ?? 'api_error';

const sleep = (ms: number, gone: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    gone.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
