// One request from beginning to end: checked, matched with its script, held, broken on purpose, or answered.
import type { ServerResponse } from 'node:http';
import { unmet } from './conditions.js';
import { type MessagesRequest, conversationOf, turnOf } from './conversation.js';
import type { Holds } from './holds.js';
import { type ApiError, invalidRequest, sendError, typeOfStatus } from './http.js';
import type { Journal, ReceivedRequest } from './journal.js';
import type { PromptCache } from './promptCache.js';
import { renderReply } from './render.js';
import { type Answer, type Fault, type HoldPoint, type Script, answersAt } from './script.js';
import { type Delivery, sendStream, sendWhole, sleep } from './stream.js';
import { checkRequest } from './validateRequest.js';

export interface Context {
  scripts: Map<string, Script>;
  journal: Journal;
  holds: Holds;
  /** Faults that happened, by script, conversation and turn. */
  faults: Map<string, number>;
  cache: PromptCache;
}

export const scriptNameOf = (model: unknown): string => String(model).replace(/^scripted\//, '');

export async function answerRequest(
  context: Context,
  body: unknown,
  received: ReceivedRequest & { key: string },
  response: ServerResponse,
  gone: AbortSignal,
): Promise<void> {
  const { journal } = context;
  const name = scriptNameOf((body as MessagesRequest | null)?.model);
  const script = context.scripts.get(name);
  const checked = script ? checkRequest(body, script) : { refusal: unknownModel(context, body) };
  if ('refusal' in checked || !script) {
    const refusal = 'refusal' in checked ? checked.refusal : invalidRequest(name);
    const entry = journal.open({ script: name, turn: turnShown(body), conversation: '' }, received);
    journal.finish(entry, 'refused', refusal.message);
    return sendError(response, refusal, entry.requestId);
  }
  const { request, steps } = checked;
  const turn = turnOf(request);
  const conversation = conversationOf(request);
  const entry = journal.open({ script: name, turn, conversation }, received);
  const finish: Delivery['finish'] = (status, detail) => journal.finish(entry, status, detail);

  const answer = chooseAnswer(script, turn, request);
  const missed = answer.expect && unmet(answer.expect, request);
  if (missed !== undefined) {
    finish('refused', missed);
    return sendError(response, invalidRequest(`script ${name}, turn ${turn}: ${missed}`), entry.requestId);
  }
  const holdAt = async (at: HoldPoint): Promise<void> => {
    const hold = context.holds.take(name, turn, at) ?? (answer.hold?.at === at ? answer.hold.name : undefined);
    if (hold !== undefined) await context.holds.wait(hold, gone);
  };
  await holdAt('before');
  if (answer.delayMs > 0) await sleep(answer.delayMs, gone);
  if (gone.aborted) return finish('aborted');

  const fault = dueFault(context, answer, `${name} ${conversation} ${turn}`);
  if (fault?.kind === 'status') {
    finish('faulted', `status ${fault.status}`);
    return sendFault(response, fault, entry.requestId);
  }
  const scope = `${received.key} ${request.model}`;
  const automatic = request['cache_control'] != null;
  const message = renderReply(answer, request, steps, context.cache.account(scope, steps, automatic));
  context.cache.remember(scope, steps, automatic);
  entry.usage = message.usage;
  entry.reply = message;
  const announce = (): void => void (entry.announced = true);
  const delivery: Delivery = { requestId: entry.requestId, answer, fault, gone, holdAt, finish, announce };
  await (request.stream === true ? sendStream : sendWhole)(response, message, delivery);
}

/** Of a request that may have any shape. */
function turnShown(body: unknown): number {
  const messages = (body as MessagesRequest | null)?.messages;
  return Array.isArray(messages) ? messages.filter((m?: { role?: unknown }) => m?.role === 'assistant').length : 0;
}

function unknownModel(context: Context, body: unknown): ApiError {
  if (typeof (body as MessagesRequest | null)?.model !== 'string') return invalidRequest('model: Field required');
  return notFound(context, scriptNameOf((body as MessagesRequest).model));
}

export function notFound({ scripts }: Context, name: string): ApiError {
  const known = [...scripts.keys()].join(', ') || 'none';
  return { status: 404, type: 'not_found_error', message: `model: ${name}; the scripts are: ${known}` };
}

function chooseAnswer(script: Script, turn: number, request: MessagesRequest): Answer {
  const answers = answersAt(script, turn);
  const chosen = answers?.find((a) => a.when === undefined || unmet(a.when, request) === undefined);
  if (chosen) return chosen;
  const text = answers
    ? `The script ${script.name} has no answer for what turn ${turn} was sent.`
    : `The script ${script.name} is over; it has no turn ${turn}.`;
  return { reply: [{ text }], delayMs: 0, chunkDelayMs: 0, chunkChars: 24 };
}

function dueFault(context: Context, { fault }: Answer, key: string): Fault | undefined {
  if (!fault) return undefined;
  const happened = context.faults.get(key) ?? 0;
  if (fault.times !== 'always' && happened >= fault.times) return undefined;
  context.faults.set(key, happened + 1);
  return fault;
}

function sendFault(response: ServerResponse, fault: Fault, requestId: string): void {
  const { status, message, code, type = typeOfStatus(status) } = fault;
  sendError(response, { status, type, message, code }, requestId, {
    ...fault.headers,
    ...(fault.retryAfter === undefined ? {} : { 'retry-after': String(fault.retryAfter) }),
    ...(fault.shouldRetry === undefined ? {} : { 'x-should-retry': String(fault.shouldRetry) }),
  });
}
