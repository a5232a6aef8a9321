// One signed HTTP request of a tool, and its answer read within bounds.
import { Agent, request } from 'undici';
import { allWithSecrets } from '../contracts/secrets.js';
import { type ToolContext, ToolUnavailable } from './execution.js';
import { signBody } from './httpSignature.js';
import { MAX_RESULT_BYTES } from './result.js';

// One connection per call. On a kept one that the peer has just closed, a call would seem to have had no answer, and
// an irreversible one would end as unknown though it was never read.
const dispatcher = new Agent({ connect: { timeout: 10_000 }, pipelining: 0 });

export interface ToolRequest {
  url: string;
  method: 'GET' | 'POST';
  /** JSON. A GET sends nothing of it, and signs it all the same. */
  body: string;
  /** Name of the secret that signs. */
  secret: string | undefined;
  /** More headers, with references to secrets. */
  headers: Record<string, string> | undefined;
}

export interface ToolAnswer {
  status: number;
  /** Undefined when there is more than is taken. */
  text: string | undefined;
}

/** Throws ToolUnavailable for 408, 429 and 5xx: the service has not answered yet. */
export async function sendToolRequest(
  { url, method, body, secret, headers = {} }: ToolRequest,
  ctx: ToolContext,
): Promise<ToolAnswer> {
  const response = await request(url, {
    method,
    dispatcher,
    signal: ctx.signal,
    headers: {
      ...allWithSecrets(lowerCase(headers), (name) => ctx.secrets(name)),
      ...(method === 'POST' ? { 'content-type': 'application/json' } : {}),
      'user-agent': 'longhaul',
      'idempotency-key': ctx.idempotencyKey,
      ...(secret === undefined ? {} : { 'longhaul-signature': signBody(ctx.secrets(secret), body) }),
    },
    ...(method === 'POST' ? { body } : {}),
    // The tool's own timeout aborts; these only bound a peer that answers in drops.
    headersTimeout: 0,
    bodyTimeout: 60_000,
  });
  const { statusCode: status } = response;
  const text = await readLimited(response.body);
  if (status === 408 || status === 429 || status >= 500) {
    throw new ToolUnavailable(`${new URL(url).host} answered ${status}`, retryAfterMs(response.headers['retry-after']));
  }
  return { status, text };
}

const lowerCase = (headers: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

/** Undefined when there is too much. Leaving the loop closes the connection. */
async function readLimited(body: AsyncIterable<Buffer>): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAX_RESULT_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Seconds or a date, as HTTP allows; at most an hour. */
export function retryAfterMs(header: string | string[] | undefined): number | undefined {
  if (typeof header !== 'string' || header.trim() === '') return undefined;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), 3_600_000);
}
