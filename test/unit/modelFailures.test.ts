// One row of the table of provider failures, one test: what it is called and whether it is tried again.
import { APIConnectionError, APIError, AnthropicError } from '@anthropic-ai/sdk';
import { classifyFailure } from '../../providers/failures.js';

const errorOf = (
  status: number | undefined,
  type: string,
  more: { headers?: Record<string, string>; code?: string; message?: string } = {},
) =>
  APIError.generate(
    status,
    {
      type: 'error',
      error: { type, message: more.message ?? type, ...(more.code ? { details: { error_code: more.code } } : {}) },
    },
    more.message ?? type,
    new Headers(more.headers),
  );

test.each([
  [400, 'invalid_request_error', 'ModelRequestRejected', 'never'],
  [401, 'authentication_error', 'ModelAuthenticationFailed', 'never'],
  [402, 'billing_error', 'ModelSpendLimitReached', 'wait'],
  [403, 'permission_error', 'ModelAuthenticationFailed', 'never'],
  [404, 'not_found_error', 'ModelNotFound', 'never'],
  [413, 'request_too_large', 'ModelRequestTooLarge', 'never'],
  [422, 'invalid_request_error', 'ModelRequestRejected', 'never'],
  [429, 'rate_limit_error', 'ModelRateLimited', 'soon'],
  [500, 'api_error', 'ModelOverloaded', 'soon'],
  [503, 'api_error', 'ModelOverloaded', 'soon'],
  [529, 'overloaded_error', 'ModelOverloaded', 'soon'],
])('%d %s is %s and tried again: %s', (status, type, name, retry) => {
  expect(classifyFailure(errorOf(status, type))).toMatchObject({ type: name, options: { retry } });
});

test('a spend limit looks like a rate limit and is told apart by its code', () => {
  const failure = classifyFailure(errorOf(429, 'rate_limit_error', { code: 'enforced_spend_limit_reached' }));
  expect(failure).toMatchObject({ type: 'ModelSpendLimitReached', options: { retry: 'wait' } });
});

test('a prompt that is too long is told apart from other refused requests', () => {
  const failure = classifyFailure(errorOf(400, 'invalid_request_error', { message: 'prompt is too long: 9 > 8' }));
  expect(failure).toMatchObject({ type: 'ModelRequestTooLarge', options: { retry: 'never' } });
});

test('the delay that the provider names is used, in seconds or in milliseconds', () => {
  const seconds = classifyFailure(errorOf(429, 'rate_limit_error', { headers: { 'retry-after': '3' } }));
  const ms = classifyFailure(
    errorOf(429, 'rate_limit_error', { headers: { 'retry-after-ms': '250', 'retry-after': '3' } }),
  );
  expect(seconds.options.retryAfterMs).toBe(3000);
  expect(ms.options.retryAfterMs).toBe(250);
});

test('a provider that says not to try again is believed', () => {
  const failure = classifyFailure(errorOf(529, 'overloaded_error', { headers: { 'x-should-retry': 'false' } }));
  expect(failure.options.retry).toBe('never');
});

test('connection trouble and broken streams are tried again; arguments that are no JSON are a broken reply', () => {
  expect(classifyFailure(new APIConnectionError({ message: 'refused' }))).toMatchObject({ type: 'ModelUnreachable' });
  expect(classifyFailure(new AnthropicError('terminated'))).toMatchObject({ type: 'ModelUnreachable' });
  const broken = Object.assign(new AnthropicError('cannot parse'), { cause: new SyntaxError('Unexpected token') });
  expect(classifyFailure(broken)).toMatchObject({ type: 'ModelReplyBroken', options: { retry: 'soon' } });
});
