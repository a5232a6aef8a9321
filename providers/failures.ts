// From whatever the SDK throws to our failure types. The one table; no other code reads a provider's status.
import { APIConnectionError, APIError, AnthropicError } from '@anthropic-ai/sdk';
import type { ModelFailureType } from '../contracts/failures.js';
import type { Usage } from '../contracts/conversation.js';
import { ModelFailure } from './modelProvider.js';

type Retry = 'soon' | 'wait' | 'never';
type Verdict = readonly [type: ModelFailureType, retry: Retry];

/** `wait`: an operator must act; the run waits and tries now and then. */
const BY_STATUS: Record<number, Verdict> = {
  400: ['ModelRequestRejected', 'never'],
  401: ['ModelAuthenticationFailed', 'never'],
  402: ['ModelSpendLimitReached', 'wait'],
  403: ['ModelAuthenticationFailed', 'never'],
  404: ['ModelNotFound', 'never'],
  408: ['ModelUnreachable', 'soon'],
  409: ['ModelOverloaded', 'soon'],
  413: ['ModelRequestTooLarge', 'never'],
  422: ['ModelRequestRejected', 'never'],
  429: ['ModelRateLimited', 'soon'],
  529: ['ModelOverloaded', 'soon'],
};

/** An error inside a stream that began with 200 has no status, only a type. */
const BY_TYPE: Record<string, Verdict> = {
  overloaded_error: ['ModelOverloaded', 'soon'],
  rate_limit_error: ['ModelRateLimited', 'soon'],
  api_error: ['ModelOverloaded', 'soon'],
  timeout_error: ['ModelUnreachable', 'soon'],
  authentication_error: ['ModelAuthenticationFailed', 'never'],
  permission_error: ['ModelAuthenticationFailed', 'never'],
  billing_error: ['ModelSpendLimitReached', 'wait'],
  invalid_request_error: ['ModelRequestRejected', 'never'],
  not_found_error: ['ModelNotFound', 'never'],
  request_too_large: ['ModelRequestTooLarge', 'never'],
};

const SPEND_CODES = new Set(['enforced_spend_limit_reached']);
const PROMPT_TOO_LONG = /prompt is too long|exceeds? the (?:context|maximum)/i;

export function classifyFailure(err: unknown, usage?: Usage): ModelFailure {
  const [type, retry] = verdictOf(err);
  const retryAfterMs = err instanceof APIError ? retryDelayOf(err.headers) : undefined;
  const message = err instanceof Error ? err.message : String(err);
  return new ModelFailure(type, message.slice(0, 2000), {
    retry,
    cause: err,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(usage === undefined ? {} : { usage }),
  });
}

function verdictOf(err: unknown): Verdict {
  if (err instanceof APIConnectionError) return ['ModelUnreachable', 'soon'];
  if (err instanceof APIError) return verdictOfApiError(err);
  if (err instanceof AnthropicError) {
    // A socket cut in the stream, a stream without its end, or tool arguments that are no JSON.
    return err.cause instanceof SyntaxError || /json/i.test(err.message)
      ? ['ModelReplyBroken', 'soon']
      : ['ModelUnreachable', 'soon'];
  }
  return ['ModelUnreachable', 'soon']; // undici's own errors: body time-out, reset, refused
}

function verdictOfApiError(err: APIError): Verdict {
  if (err.errorCode !== null && SPEND_CODES.has(err.errorCode)) return ['ModelSpendLimitReached', 'wait'];
  if (err.status === 400 && PROMPT_TOO_LONG.test(err.message)) return ['ModelRequestTooLarge', 'never'];
  const verdict =
    err.status === undefined
      ? BY_TYPE[err.type ?? '']
      : (BY_STATUS[err.status] ?? (err.status >= 500 ? serverError : undefined));
  const asked = err.headers?.get('x-should-retry');
  if (verdict && verdict[1] === 'never' && asked === 'true') return [verdict[0], 'soon'];
  if (verdict && verdict[1] === 'soon' && asked === 'false') return [verdict[0], 'never'];
  return verdict ?? (err.status === undefined ? serverError : ['ModelRequestRejected', 'never']);
}

const serverError: Verdict = ['ModelOverloaded', 'soon'];

/** retry-after-ms, or retry-after in seconds or as a date. */
function retryDelayOf(headers: Headers | undefined): number | undefined {
  const ms = Number(headers?.get('retry-after-ms') ?? Number.NaN);
  if (Number.isFinite(ms) && ms >= 0) return ms;
  const after = headers?.get('retry-after');
  if (after === null || after === undefined) return undefined;
  const delay = /^\d+(\.\d+)?$/.test(after) ? Number(after) * 1000 : Date.parse(after) - Date.now();
  return Number.isFinite(delay) && delay >= 0 ? delay : undefined;
}
