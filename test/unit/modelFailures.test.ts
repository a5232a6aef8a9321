// One row of the table of provider failures, one test: what it is called and whether it is tried again.
import { APIConnectionError, APIConnectionTimeoutError, APIError, AnthropicError } from '@anthropic-ai/sdk';
import { type FailureRow, classifyFailure, failureTable, rowOf } from '../../providers/failures.js';

interface Given {
  headers?: Record<string, string>;
  code?: string;
  message?: string;
}

const bodyOf = (type: string, { code, message = type }: Given) => ({
  type: 'error',
  error: { type, message, ...(code === undefined ? {} : { details: { error_code: code } }) },
});

/** As the SDK makes it of an answer that is no 200. */
const answered = (status: number, type: string, given: Given = {}) =>
  APIError.generate(status, bodyOf(type, given), given.message ?? type, new Headers(given.headers));

/** As the SDK makes it of an error event in a stream. */
const inStream = (type: string, given: Given = {}) =>
  new APIError(undefined, bodyOf(type, given), undefined, new Headers(given.headers));

const withCause = (message: string, cause: unknown) => Object.assign(new AnthropicError(message), { cause });

const ROWS: [row: FailureRow, error: unknown, type: string, retry: string][] = [
  [
    'enforced_spend_limit_reached',
    answered(429, 'rate_limit_error', { code: 'enforced_spend_limit_reached' }),
    'ModelSpendLimitReached',
    'wait',
  ],
  [
    'contract_spend_limit_reached',
    answered(429, 'rate_limit_error', { code: 'contract_spend_limit_reached' }),
    'ModelSpendLimitReached',
    'wait',
  ],
  [
    'organization_on_hold',
    answered(400, 'invalid_request_error', { code: 'organization_on_hold' }),
    'ModelAuthenticationFailed',
    'never',
  ],
  [
    'cmek_key_disabled',
    answered(400, 'invalid_request_error', { code: 'cmek_key_disabled' }),
    'ModelAuthenticationFailed',
    'wait',
  ],
  [
    'cmek_key_network_blocked',
    answered(400, 'invalid_request_error', { code: 'cmek_key_network_blocked' }),
    'ModelAuthenticationFailed',
    'wait',
  ],
  ['400', answered(400, 'invalid_request_error'), 'ModelRequestRejected', 'never'],
  ['401', answered(401, 'authentication_error'), 'ModelAuthenticationFailed', 'never'],
  ['402', answered(402, 'billing_error'), 'ModelSpendLimitReached', 'wait'],
  ['403', answered(403, 'permission_error'), 'ModelAuthenticationFailed', 'never'],
  ['404', answered(404, 'not_found_error'), 'ModelNotFound', 'never'],
  ['408', answered(408, 'timeout_error'), 'ModelUnreachable', 'soon'],
  ['409', answered(409, 'invalid_request_error'), 'ModelOverloaded', 'soon'],
  ['413', answered(413, 'request_too_large'), 'ModelRequestTooLarge', 'never'],
  ['422', answered(422, 'invalid_request_error'), 'ModelRequestRejected', 'never'],
  ['429', answered(429, 'rate_limit_error', { code: 'ramp_limit_exceeded' }), 'ModelRateLimited', 'soon'],
  ['529', answered(529, 'overloaded_error'), 'ModelOverloaded', 'soon'],
  ['4xx', answered(418, 'invalid_request_error'), 'ModelRequestRejected', 'never'],
  ['5xx', answered(500, 'api_error'), 'ModelOverloaded', 'soon'],
  ['5xx', answered(502, 'api_error'), 'ModelOverloaded', 'soon'],
  ['5xx', answered(503, 'api_error'), 'ModelOverloaded', 'soon'],
  ['5xx', answered(504, 'timeout_error'), 'ModelOverloaded', 'soon'],
  ['invalid_request_error', inStream('invalid_request_error'), 'ModelRequestRejected', 'never'],
  ['authentication_error', inStream('authentication_error'), 'ModelAuthenticationFailed', 'never'],
  ['billing_error', inStream('billing_error'), 'ModelSpendLimitReached', 'wait'],
  [
    'enforced_spend_limit_reached',
    inStream('rate_limit_error', { code: 'enforced_spend_limit_reached' }),
    'ModelSpendLimitReached',
    'wait',
  ],
  ['permission_error', inStream('permission_error'), 'ModelAuthenticationFailed', 'never'],
  ['not_found_error', inStream('not_found_error'), 'ModelNotFound', 'never'],
  ['request_too_large', inStream('request_too_large'), 'ModelRequestTooLarge', 'never'],
  ['rate_limit_error', inStream('rate_limit_error'), 'ModelRateLimited', 'soon'],
  ['timeout_error', inStream('timeout_error'), 'ModelUnreachable', 'soon'],
  ['api_error', inStream('api_error'), 'ModelOverloaded', 'soon'],
  ['overloaded_error', inStream('overloaded_error'), 'ModelOverloaded', 'soon'],
  ['unknown type', inStream('an_error_of_next_year'), 'ModelOverloaded', 'soon'],
  [
    'prompt too long',
    answered(400, 'invalid_request_error', { message: 'prompt is too long: 9 > 8' }),
    'ModelRequestTooLarge',
    'never',
  ],
  ['no connection', new APIConnectionError({ message: 'refused' }), 'ModelUnreachable', 'soon'],
  ['no connection', new APIConnectionTimeoutError(), 'ModelUnreachable', 'soon'],
  ['stream cut or silent', new AnthropicError('terminated'), 'ModelUnreachable', 'soon'],
  [
    'stream cut or silent',
    new AnthropicError('stream ended without producing a Message with role=assistant'),
    'ModelUnreachable',
    'soon',
  ],
  [
    'stream cut or silent',
    Object.assign(new Error('Body Timeout Error'), { code: 'UND_ERR_BODY_TIMEOUT' }),
    'ModelUnreachable',
    'soon',
  ],
  [
    'reply that is no message',
    withCause('cannot parse', new SyntaxError('Unexpected token')),
    'ModelReplyBroken',
    'soon',
  ],
  [
    'reply that is no message',
    new AnthropicError('Unable to parse tool parameter JSON from model.'),
    'ModelReplyBroken',
    'soon',
  ],
];

test.each(ROWS)('%s: %s is %s, tried again: %s', (row, error, type, retry) => {
  expect(rowOf(error)).toBe(row);
  expect(classifyFailure(error)).toMatchObject({ type, options: { retry } });
});

test('every row of the table has a test here', () => {
  const tested = new Set(ROWS.map(([row]) => row));
  expect(Object.keys(failureTable).filter((row) => !tested.has(row as FailureRow))).toEqual([]);
});

test.each([
  [{ 'retry-after': '3' }, 3000],
  [{ 'retry-after-ms': '250', 'retry-after': '3' }, 250],
  [{ 'retry-after': 'Mon, 23 Nov 2026 12:00:30 GMT', date: 'Mon, 23 Nov 2026 12:00:00 GMT' }, 30_000],
  [{ 'retry-after': 'soon' }, undefined],
])('the delay of %j is %p ms, whatever the time is here', (headers, ms) => {
  expect(classifyFailure(answered(429, 'rate_limit_error', { headers })).options.retryAfterMs).toBe(ms);
});

test.each([
  [529, 'overloaded_error', 'false', 'never'],
  [400, 'invalid_request_error', 'true', 'soon'],
  [402, 'billing_error', 'true', 'wait'],
])('%d %s with x-should-retry: %s is tried again: %s', (status, type, asked, retry) => {
  expect(classifyFailure(answered(status, type, { headers: { 'x-should-retry': asked } })).options.retry).toBe(retry);
});

test('what the attempt had been billed is part of the failure', () => {
  const usage = { inputTokens: 7, outputTokens: 1, cacheReadTokens: 0, cacheWriteTokens: 0 };
  expect(classifyFailure(new AnthropicError('terminated'), usage).options.usage).toEqual(usage);
  expect(classifyFailure(answered(529, 'overloaded_error')).options.usage).toBeUndefined();
});
