// A small HTTP server that speaks the Messages API from scripts: for development, tests and the first run without a key.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import path from 'node:path';
import { type Context, answerRequest, notFound, scriptNameOf } from './answer.js';
import { control } from './control.js';
import type { MessagesRequest } from './conversation.js';
import { Holds } from './holds.js';
import { type ApiError, invalidRequest, sendError, sendJson } from './http.js';
import { Journal } from './journal.js';
import { totalTokens } from './prefix.js';
import { PromptCache } from './promptCache.js';
import { type Script, parseScript } from './script.js';
import { checkRequest } from './validateRequest.js';

export interface ScriptedModelOptions {
  /** 0: any free one. */
  port?: number;
  /** Every *.yaml, *.yml and *.json in it, and `<folder>/script.yaml` one level down. */
  scriptsDir?: string | undefined;
  /** Win over those of the folder. */
  scripts?: readonly Script[];
  /** Every finished request is appended to it as a line of JSON. */
  journalFile?: string | undefined;
}

export interface ScriptedModel {
  url: string;
  port: number;
  scripts: string[];
  close(): Promise<void>;
}

/** The real API's limit, in bytes. */
const MAX_BODY = 32 * 1024 * 1024;

export async function startScriptedModel(options: ScriptedModelOptions = {}): Promise<ScriptedModel> {
  const scripts = [...scriptsIn(options.scriptsDir), ...(options.scripts ?? [])];
  const context: Context = {
    scripts: new Map(scripts.map((s) => [s.name, s])),
    journal: new Journal(options.journalFile),
    holds: new Holds(),
    faults: new Map(),
    cache: new PromptCache(),
  };
  const server = createServer((request, response) => {
    handle(context, request, response).catch((err: unknown) => {
      if (response.headersSent) response.destroy();
      else sendError(response, { status: 500, type: 'api_error', message: String(err) });
    });
  });
  const port = await listenOn(server, options.port ?? 0);
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    scripts: [...context.scripts.keys()],
    close: () =>
      new Promise((resolve) => {
        context.holds.release();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listenOn(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
  });
}

function scriptsIn(dir: string | undefined): Script[] {
  if (dir === undefined) return [];
  if (!existsSync(dir)) throw new Error(`LONGHAUL_SCRIPTS_DIR names ${dir}, which does not exist.`);
  const files = readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isFile() && /\.(ya?ml|json)$/.test(entry.name)) return [path.join(dir, entry.name)];
    const inside = path.join(dir, entry.name, 'script.yaml');
    return entry.isDirectory() && existsSync(inside) ? [inside] : [];
  });
  const fileOf = new Map<string, string>();
  return files.toSorted().map((file) => {
    const script = parseScript(readFileSync(file, 'utf8'), file);
    const other = fileOf.get(script.name);
    if (other !== undefined) throw new Error(`${file}: name: ${script.name} is also the name of ${other}`);
    fileOf.set(script.name, file);
    return script;
  });
}

async function handle(context: Context, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  const [pathname = '/', query = ''] = (request.url ?? '/').split('?', 2);
  const body = await readBody(request);
  if (body === undefined) return sendError(response, TOO_LARGE);
  if (pathname.startsWith('/_control')) {
    const method = request.method ?? 'GET';
    return control(context, { method, pathname, query: new URLSearchParams(query), body, gone: gone.signal }, response);
  }
  const key = keyOf(request);
  if (key === undefined) return sendError(response, NO_KEY);
  if (request.method === 'GET' && pathname.startsWith('/v1/models/')) {
    return describeModel(context, pathname.slice('/v1/models/'.length), response);
  }
  const isCount = pathname === '/v1/messages/count_tokens';
  if (request.method !== 'POST' || (pathname !== '/v1/messages' && !isCount)) {
    return sendError(response, {
      status: 404,
      type: 'not_found_error',
      message: `Not found: ${request.method} ${pathname}`,
    });
  }
  if (!request.headers['anthropic-version']) {
    return sendError(response, invalidRequest('anthropic-version: header is required'));
  }
  const parsed = parsedBody(body);
  if (parsed === undefined) return sendError(response, invalidRequest('The request body is not valid JSON'));
  if (isCount) return countTokens(context, parsed.value, response);
  await answerRequest(context, parsed.value, { body, headers: headersOf(request), key }, response, gone.signal);
}

const TOO_LARGE: ApiError = {
  status: 413,
  type: 'request_too_large',
  message: 'Request exceeds the maximum allowed number of bytes',
};
const NO_KEY: ApiError = {
  status: 401,
  type: 'authentication_error',
  message: 'an API key is required: authorization: Bearer …',
};

/** Any key will do; x-api-key is what older clients send. */
function keyOf({ headers }: IncomingMessage): string | undefined {
  const key = /^Bearer +(\S.*)/i.exec(headers.authorization ?? '')?.[1] ?? headers['x-api-key'];
  return typeof key === 'string' && key !== '' ? key : undefined;
}

/** Those that say something about the caller; never the key. */
function headersOf({ headers }: IncomingMessage): Record<string, string> {
  const wanted = /^(anthropic-|x-stainless-(helper|retry|timeout)|user-agent$|traceparent$|idempotency-key$)/;
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (wanted.test(name) ? [[name, String(value)]] : [])),
  );
}

function parsedBody(body: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(body) };
  } catch {
    return undefined;
  }
}

function countTokens(context: Context, body: unknown, response: ServerResponse): void {
  const name = scriptNameOf((body as MessagesRequest | null)?.model);
  const script = context.scripts.get(name);
  if (!script) return sendError(response, notFound(context, name));
  const checked = checkRequest({ ...(body as object), max_tokens: 1 }, { ...script, window: Infinity });
  if ('refusal' in checked) return sendError(response, checked.refusal);
  sendJson(response, 200, { input_tokens: totalTokens(checked.steps) });
}

function describeModel(context: Context, encoded: string, response: ServerResponse): void {
  const id = encoded.replaceAll(/%2f/gi, '/');
  const script = context.scripts.get(scriptNameOf(id));
  if (!script) return sendError(response, notFound(context, id));
  sendJson(response, 200, {
    type: 'model',
    id,
    display_name: script.name,
    created_at: '2026-01-01T00:00:00Z',
    max_input_tokens: script.window,
    max_tokens: script.maxOutput,
    capabilities: null,
    lifecycle: 'active',
    line: null,
    deprecated_at: null,
    retires_at: null,
    allowed_fallback_models: null,
  });
}

/** undefined when it is too large; read to its end all the same, so that the client can read the answer. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  let chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) chunks = [];
    else chunks.push(chunk);
  }
  return size > MAX_BODY ? undefined : Buffer.concat(chunks).toString('utf8');
}
