// http_request: asks addresses that the agent file allows. Every hop of a redirect passes the same rules anew.
import { z } from 'zod';
import {
  type HttpMethod,
  type HttpRequestSettings,
  type HttpRule,
  READING,
  httpMethod,
} from '../../contracts/httpRequest.js';
import { allWithSecrets } from '../../contracts/secrets.js';
import type { ToolDefinition } from '../../contracts/tools.js';
import { AddressRefused, type EgressAnswer, type Resolve, send, systemResolve } from '../../sandbox/egress.js';
import { type ToolContext, ToolError, type ToolExecutor, ToolUnavailable } from '../execution.js';
import { retryAfterMs } from '../httpRequest.js';
import { jsonSchemaOf } from '../inputSchema.js';
import type { ToolResult } from '../result.js';
import { problemOfUrl, ruleFor } from './httpRules.js';

const MAX_BODY = 1_048_576;
/** What a model may say beside its rules' own headers; the rest is between the worker and the service. */
const HEADERS = [
  'accept',
  'accept-language',
  'content-type',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'prefer',
  'range',
];

const input = z.strictObject({
  url: z.string().min(1).max(8000).describe('http or https address, with its query'),
  method: httpMethod.optional().describe('Default: GET'),
  headers: z
    .array(z.strictObject({ name: z.string().min(1).max(100), value: z.string().max(4000) }))
    .max(20)
    .optional()
    .describe(`Any of ${HEADERS.join(', ')}`),
  body: z.string().max(MAX_BODY).optional().describe('Of a request that writes; say its content-type'),
});
type Arguments = z.infer<typeof input>;

export const httpRequestDefinition: ToolDefinition = {
  name: 'http_request',
  description: 'Send an HTTP request and read the answer.',
  input: jsonSchemaOf(input),
  effect: 'irreversible',
  labels: ['untrusted'],
  controls: ['url', 'method'],
  external: true,
  timeoutMs: 60_000,
  maxAttempts: 4,
  source: 'builtIn',
};

export function httpRequestTool(definition: ToolDefinition, resolve: Resolve = systemResolve): ToolExecutor {
  const { httpRequest: settings } = definition;
  return {
    definition,
    async execute(args, ctx) {
      if (!settings) throw new ToolError('This agent allows no address. Nothing was sent.');
      return ask(args as Arguments, settings, ctx, resolve);
    },
  };
}

interface Hop {
  url: URL;
  method: HttpMethod;
  headers: Record<string, string>;
  body: string | undefined;
}

async function ask(
  args: Arguments,
  settings: HttpRequestSettings,
  ctx: ToolContext,
  resolve: Resolve,
): Promise<ToolResult> {
  let hop = firstHop(args);
  for (let redirects = 0; ; redirects++) {
    const refusal = problemOfUrl(hop.url) ?? (ruleFor(settings.allow, hop) ? undefined : notAllowed(hop, settings));
    const rule = ruleFor(settings.allow, hop);
    if (refusal !== undefined || !rule) {
      if (redirects === 0) throw new ToolError(`${refusal} Nothing was sent.`);
      throw new ToolError(`The answer was a redirect that was not followed: ${refusal}${sentBefore(args)}`);
    }
    const answer = await sendHop(hop, rule, { settings, ctx, resolve, followed: redirects > 0 });
    const next = redirectOf(hop, answer);
    if (next === undefined) return shown(hop, answer, settings, { redirected: redirects > 0 });
    if (redirects === settings.maxRedirects) {
      throw new ToolError(
        `More than ${settings.maxRedirects} redirects, the last to ${next.url.origin}.${sentBefore(args)}`,
      );
    }
    hop = next;
  }
}

/** A request that writes has been answered, if only by a redirect: it is not to be repeated blindly. */
const sentBefore = ({ method = 'GET' }: Arguments): string =>
  READING.includes(method) ? '' : ` The ${method} itself was sent and answered; do not repeat it blindly.`;

function firstHop({ url, method = 'GET', headers = [], body }: Arguments): Hop {
  if (!URL.canParse(url)) throw new ToolError(`url is no address: ${url.slice(0, 200)}. Nothing was sent.`);
  if (body !== undefined && READING.includes(method)) throw new ToolError(`A ${method} has no body. Nothing was sent.`);
  const stranger = headers.find(({ name }) => !HEADERS.includes(name.toLowerCase()));
  if (stranger) {
    throw new ToolError(`The header ${stranger.name} cannot be set; only ${HEADERS.join(', ')}. Nothing was sent.`);
  }
  const broken = headers.find(({ value }) => /[^\t\x20-\x7e]/.test(value));
  if (broken) throw new ToolError(`The header ${broken.name} may hold printable ASCII only. Nothing was sent.`);
  const parsed = new URL(url);
  parsed.hash = '';
  const given = Object.fromEntries(headers.map(({ name, value }) => [name.toLowerCase(), value]));
  return { url: parsed, method, headers: given, body };
}

const notAllowed = ({ method, url }: Hop, { allow }: HttpRequestSettings): string =>
  `${method} ${url.origin}${url.pathname} is not allowed. Allowed: ${allow.map((r) => `${r.methods.join(', ')} ${r.url}`).join('; ')}.`;

async function sendHop(
  { url, method, headers, body }: Hop,
  rule: HttpRule,
  {
    settings,
    ctx,
    resolve,
    followed,
  }: { settings: HttpRequestSettings; ctx: ToolContext; resolve: Resolve; followed: boolean },
): Promise<EgressAnswer> {
  const own = allWithSecrets(rule.headers ?? {}, (name) => ctx.secrets(name));
  const names = Object.keys(own).map((name) => name.toLowerCase());
  const mine = Object.entries(headers).filter(([name]) => !names.includes(name));
  const reads = READING.includes(method);
  try {
    const answer = await send(
      {
        url,
        method,
        headers: {
          'user-agent': 'longhaul',
          ...Object.fromEntries(mine),
          ...own,
          ...(reads ? {} : { 'idempotency-key': ctx.idempotencyKey }),
        },
        body,
        allowPrivate: rule.private,
        maxResponseBytes: settings.maxResponseBytes,
        signal: ctx.signal,
      },
      resolve,
    );
    const { status } = answer;
    if (status === 408 || status === 429 || status >= 500) {
      throw new ToolUnavailable(`${url.host} answered ${status}`, retryAfterMs(answer.headers['retry-after']));
    }
    return answer;
  } catch (err) {
    if (err instanceof AddressRefused) {
      throw new ToolError(`${err.message}. ${followed ? 'The redirect was not followed.' : 'Nothing was sent.'}`);
    }
    // It never left: a call that must not be repeated need not end as unknown.
    if (!reads && !followed && neverSent(err)) throw new ToolError(`${url.host} cannot be reached. Nothing was sent.`);
    throw err;
  }
}

const neverSent = (err: unknown): boolean =>
  /^(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/.test(
    String((err as { code?: unknown } | null)?.code),
  );

/** Where the answer sends us, as browsers do it: 307 and 308 keep the method, the others make a GET. */
function redirectOf({ url, method, headers, body }: Hop, answer: EgressAnswer): Hop | undefined {
  const { location } = answer.headers;
  if (![301, 302, 303, 307, 308].includes(answer.status) || typeof location !== 'string') return undefined;
  if (!URL.canParse(location, url.href)) return undefined;
  const next = new URL(location, url);
  next.hash = '';
  const keeps = answer.status === 307 || answer.status === 308 || READING.includes(method);
  const { 'content-type': _, ...without } = headers;
  return keeps ? { url: next, method, headers, body } : { url: next, method: 'GET', headers: without, body: undefined };
}

function shown(
  { url, method }: Hop,
  { status, headers, body }: EgressAnswer,
  { maxResponseBytes }: HttpRequestSettings,
  { redirected }: { redirected: boolean },
): ToolResult {
  const type = typeof headers['content-type'] === 'string' ? headers['content-type'] : '';
  const first = [`HTTP ${status}`, type, redirected ? `from ${url.href}` : ''].filter((part) => part !== '').join(', ');
  const { location } = headers;
  const lines = [first, ...(typeof location === 'string' ? [`location: ${location}`] : [])];
  return {
    content: [...lines, '', bodyText(method, body, headers, type, maxResponseBytes)].join('\n').trimEnd(),
    isError: status >= 400,
  };
}

function bodyText(
  method: HttpMethod,
  body: Buffer | undefined,
  headers: EgressAnswer['headers'],
  type: string,
  maxBytes: number,
): string {
  if (body === undefined) return `(more than ${maxBytes} bytes, which were not taken)`;
  if (method === 'HEAD' || body.length === 0) return '';
  // Not asked for; unpacking it could make much of little.
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') return `(${body.length} bytes, packed as ${String(encoding)})`;
  const charset = /charset="?([\w-]+)/i.exec(type)?.[1] ?? 'utf-8';
  try {
    return new TextDecoder(charset, { fatal: true }).decode(body);
  } catch {
    return `(${body.length} bytes that are no text)`;
  }
}
