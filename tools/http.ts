// HTTP tools: the arguments are posted with an idempotency key and a signature; the status says what became of it.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { Agent, request } from 'undici';
import type { ToolDefinition } from '../contracts/tools.js';
import {
  MAX_RESULT_BYTES,
  type ToolContext,
  type ToolExecutor,
  type ToolResult,
  ToolUnavailable,
} from './execution.js';

/** `t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">` */
export function signBody(secret: string, body: string, nowMs = Date.now()): string {
  const t = Math.floor(nowMs / 1000);
  return `t=${t},v1=${hmac(secret, `${t}.${body}`)}`;
}

/** Checks a signature that is at most `maxAgeSeconds` old. For services that receive HTTP tools' calls. */
export function verifySignature(
  secret: string,
  header: string | undefined,
  body: string,
  { nowMs = Date.now(), maxAgeSeconds = 300 } = {},
): boolean {
  const match = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(header ?? '');
  if (!match || Math.abs(nowMs / 1000 - Number(match[1])) > maxAgeSeconds) return false;
  const expected = hmac(secret, `${match[1]}.${body}`);
  return timingSafeEqual(Buffer.from(expected), Buffer.from(match[2] as string));
}

const hmac = (secret: string, text: string): string => createHmac('sha256', secret).update(text).digest('hex');

const dispatcher = new Agent({ connect: { timeout: 10_000 } });

export function httpExecutor(definition: ToolDefinition): ToolExecutor {
  const { http } = definition;
  if (!http) throw new Error(`tool ${definition.name} has no http binding`);
  return {
    definition,
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
  if (statusCode >= 200 && statusCode < 300) return { content: text };
  if (statusCode === 408 || statusCode === 429 || statusCode >= 500) {
    throw new ToolUnavailable(
      `${new URL(url).host} answered ${statusCode}`,
      retryAfterMs(response.headers['retry-after']),
    );
  }
  return { content: `HTTP ${statusCode}${text === '' ? '' : `: ${text}`}`, isError: true };
}

async function readLimited(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAX_RESULT_BYTES) return `(the answer is larger than ${MAX_RESULT_BYTES} bytes and was not taken)`;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function retryAfterMs(header: string | string[] | undefined): number | undefined {
  const seconds = Number(header);
  return header !== undefined && Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds, 3600) * 1000 : undefined;
}
