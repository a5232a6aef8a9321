// JSON and errors over HTTP in the form of the Messages API.
import type { ServerResponse } from 'node:http';

export interface ApiError {
  status: number;
  type: string;
  message: string;
  /** Where the SDK reads `errorCode`: spend limits. */
  code?: string | undefined;
}

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
  { status, type, message, code }: ApiError,
  requestId = 'req_scripted',
  headers: Record<string, string> = {},
): void {
  const details = code === undefined ? {} : { details: { error_code: code } };
  const body = { type: 'error', error: { type, message, ...details }, request_id: requestId };
  sendJson(response, status, body, { 'request-id': requestId, ...headers });
}

export const typeOfStatus = (status: number): string =>
  ({
    400: 'invalid_request_error',
    401: 'authentication_error',
    402: 'billing_error',
    403: 'permission_error',
    404: 'not_found_error',
    413: 'request_too_large',
    429: 'rate_limit_error',
    504: 'timeout_error',
    529: 'overloaded_error',
  })[status] ?? 'api_error';

export const invalidRequest = (message: string): ApiError => ({ status: 400, type: 'invalid_request_error', message });
