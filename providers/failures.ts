// From whatever the SDK throws to our failure types. The one table; no other code reads a provider's status.
import { APIConnectionError, APIError, AnthropicError } from '@anthropic-ai/sdk';
import type { ModelFailureType } from '../contracts/failures.js';
import type { Usage } from '../contracts/conversation.js';
import { ModelFailure } from './modelProvider.js';

/** `wait`: an operator must act; the run waits and tries now and then. */
type Retry = 'soon' | 'wait' | 'never';
type Verdict = readonly [type: ModelFailureType, retry: Retry];

/** By the first that is there: the error's code, the status, the error's type (inside a stream), what was thrown. */
export const failureTable = {
  // Codes: what their status alone does not tell.
  enforced_spend_limit_reached: ['ModelSpendLimitReached', 'wait'],
  contract_spend_limit_reached: ['ModelSpendLimitReached', 'wait'],
  organization_on_hold: ['ModelAuthenticationFailed', 'never'],
  cmek_key_disabled: ['ModelAuthenticationFailed', 'wait'],
  cmek_key_network_blocked: ['ModelAuthenticationFailed', 'wait'],
  // Statuses, before the stream begins.
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
  '4xx': ['ModelRequestRejected', 'never'],
  '5xx': ['ModelOverloaded', 'soon'],
  // Types: an error event inside a stream that began with 200 has no status.
  invalid_request_error: ['ModelRequestRejected', 'never'],
  authentication_error: ['ModelAuthenticationFailed', 'never'],
  billing_error: ['ModelSpendLimitReached', 'wait'],
  permission_error: ['ModelAuthenticationFailed', 'never'],
  not_found_error: ['ModelNotFound', 'never'],
  request_too_large: ['ModelRequestTooLarge', 'never'],
  rate_limit_error: ['ModelRateLimited', 'soon'],
  timeout_error: ['ModelUnreachable', 'soon'],
  api_error: ['ModelOverloaded', 'soon'],
  overloaded_error: ['ModelOverloaded', 'soon'],
  'unknown type': ['ModelOverloaded', 'soon'],
  // Without an answer of the API, or with half of one.
  'prompt too long': ['ModelRequestTooLarge', 'never'],
  'no connection': ['ModelUnreachable', 'soon'],
  'stream cut or silent': ['ModelUnreachable', 'soon'],
  'reply that is no message': ['ModelReplyBroken', 'soon'],
} as const satisfies Record<string, Verdict>;
const verdicts: Record<FailureRow, Verdict> = failureTable;
export type FailureRow = `${keyof typeof failureTable}`;

const PROMPT_TOO_LONG = /prompt is too long|exceeds? the (?:context|maximum)/i;

/** `usage`: what the attempt had been billed when it failed. */
export function classifyFailure(err: unknown, usage?: Usage): ModelFailure {
  const [type, retry] = asTheProviderWants(verdicts[rowOf(err)], err);
  const retryAfterMs = err instanceof APIError ? retryDelayOf(err.headers) : undefined;
  const message = err instanceof Error ? err.message : String(err);
  return new ModelFailure(type, message.slice(0, 2000), {
    retry,
    cause: err,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(usage === undefined ? {} : { usage }),
  });
}

export function rowOf(err: unknown): FailureRow {
  if (err instanceof APIConnectionError) return 'no connection';
  if (err instanceof APIError) return rowOfApiError(err);
  if (err instanceof SyntaxError) return 'reply that is no message';
  if (!(err instanceof AnthropicError)) return 'stream cut or silent'; // undici's own: body time-out, reset
  const noMessage = err.cause instanceof SyntaxError || /json/i.test(err.message);
  return noMessage ? 'reply that is no message' : 'stream cut or silent';
}

function rowOfApiError({ errorCode, status, type, message }: APIError): FailureRow {
  if (isRow(errorCode)) return errorCode;
  if (status === undefined) return isRow(type) ? type : 'unknown type';
  if (status === 400 && PROMPT_TOO_LONG.test(message)) return 'prompt too long';
  const exact = String(status);
  if (isRow(exact)) return exact;
  return status >= 500 ? '5xx' : '4xx';
}

const isRow = (key: string | null | undefined): key is FailureRow =>
  typeof key === 'string' && Object.hasOwn(failureTable, key);

/** The provider's own word on whether to try again goes before the table's. An operator's turn stays one. */
function asTheProviderWants([type, retry]: Verdict, err: unknown): Verdict {
  const asked = err instanceof APIError ? err.headers?.get('x-should-retry') : undefined;
  if (retry === 'never' && asked === 'true') return [type, 'soon'];
  if (retry === 'soon' && asked === 'false') return [type, 'never'];
  return [type, retry];
}

/** retry-after-ms, or retry-after in seconds or as a date. */
function retryDelayOf(headers: Headers | undefined): number | undefined {
  const ms = Number(headers?.get('retry-after-ms') ?? Number.NaN);
  if (Number.isFinite(ms) && ms >= 0) return ms;
  const after = headers?.get('retry-after');
  if (after === null || after === undefined) return undefined;
  if (/^\d+(\.\d+)?$/.test(after)) return Number(after) * 1000;
  // Of two times by the provider's own clock: ours may be wrong.
  const sent = Date.parse(headers?.get('date') ?? '');
  const delay = Date.parse(after) - (Number.isNaN(sent) ? Date.now() : sent);
  return Number.isFinite(delay) && delay >= 0 ? delay : undefined;
}
