// HTTP tools: the arguments are posted with an idempotency key and a signature; the status says what became of it.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { Agent, request } from 'undici';
import type { ToolDefinition } from '../contracts/tools.js';
import { type ToolContext, type ToolExecutor, ToolUnavailable } from './execution.js';
import { MAX_RESULT_BYTES, type ToolResult } from './result.js';

/** `t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">` */
export function signBody(secret: string, body: string, nowMs = Date.now()): string {
  const t = Math.floor(nowMs / 1000);
  return `t=${t},v1=${hmac(secret, `${t}.`, body)}`;
}

/** Checks a signature that is at most `maxAgeSeconds` old. For services that receive HTTP tools' calls. */
export function verifySignature(
  secret: string,
  header: string | undefined,
  body: string | Uint8Array,
  { nowMs = Date.now(), maxAgeSeconds = 300 } = {},
): boolean {
  const match = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(header ?? '');
  if (!match || Math.abs(nowMs / 1000 - Number(match[1])) > maxAgeSeconds) return false;
  const expected = hmac(secret, `${match[1]}.`, body);
  return timingSafeEqual(Buffer.from(expected), Buffer.from(match[2] as string));
}

const hmac = (secret: string, time: string, body: string | Uint8Array): string =>
  createHmac('sha256', secret).update(time).update(body).digest('hex');

// One connection per call. On a kept one that the peer has just closed, a call would seem to have had no answer, and
// an irreversible one would end as unknown though it was never read.
const dispatcher = new Agent({ connect: { timeout: 10_000 }, pipelining: 0 });

export function httpExecutor(definition: ToolDefinition): ToolExecutor {
  const { http } = definition;
  if (!http) throw new Error(`tool ${definition.name} has no http binding`);
  return {
    definition,
    // There is no way to ask the service, so a call whose worker died is not run again.
    ...(definition.effect === 'reconcilable' ? { reconcile: () => Promise.resolve('unknown' as const) } : {}),
    async execute(args, ctx) {
      const body = JSON.stringify({
        arguments: args,
        runId: ctx.runId,
        step: ctx.step,
        toolCallId: ctx.toolCallId,
        agent: ctx.agent,
      });
      return post(http.url, body, ctx, http.secret === undefined ? undefined : ctx.secrets(http.secret));
    },
  };
}

async function post(url: string, body: string, ctx: ToolContext, secret: string | undefined): Promise<ToolResult> {
  const response = await request(url, {
    method: 'POST',
    dispatcher,
    signal: ctx.signal,
    headers: {
      'content-type': 'application/json',
      'user-agent': 'longhaul',
      'idempotency-key': ctx.idempotencyKey,
      ...(secret === undefined ? {} : { 'longhaul-signature': signBody(secret, body) }),
    },
    body,
    // The tool's own timeout aborts; these only bound a peer that answers in drops.
    headersTimeout: 0,
    bodyTimeout: 60_000,
  });
  const { statusCode } = response;
  const text = await readLimited(response.body);
  if (statusCode === 408 || statusCode === 429 || statusCode >= 500) {
    throw new ToolUnavailable(
      `${new URL(url).host} answered ${statusCode}`,
      retryAfterMs(response.headers['retry-after']),
    );
  }
  if (text === undefined) {
    const content = `The service answered ${statusCode} with more than ${MAX_RESULT_BYTES} bytes, which were not taken.`;
    return { content, isError: true };
  }
  if (statusCode >= 200 && statusCode < 300) return { content: text };
  return { content: `HTTP ${statusCode}${text === '' ? '' : `: ${text}`}`, isError: true };
}

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
function retryAfterMs(header: string | string[] | undefined): number | undefined {
  if (typeof header !== 'string' || header.trim() === '') return undefined;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), 3_600_000);
}
