// A small HTTP server that speaks the Messages API from scripts: for development, tests and the first run without a key.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import path from 'node:path';
import { type Context, answerRequest, scriptNameOf, sendError, sendJson } from './answer.js';
import { control } from './control.js';
import type { MessagesRequest } from './conversation.js';
import { Holds, Journal } from './journal.js';
import { type Script, parseScript } from './script.js';
import { estimateTokens } from './validateRequest.js';

export interface ScriptedModelOptions {
  /** 0: any free one. */
  port?: number;
  /** Every *.yaml and *.json in it, and `<folder>/script.yaml` one level down. */
  scriptsDir?: string | undefined;
  scripts?: readonly Script[];
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
  const scripts = [...(options.scripts ?? []), ...scriptsIn(options.scriptsDir)];
  const context: Context = {
    scripts: new Map(scripts.map((s) => [s.name, s])),
    journal: new Journal(),
    holds: new Holds(),
    faults: new Map(),
    cached: new Map(),
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
  if (dir === undefined || !existsSync(dir)) return [];
  const files = readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isFile() && /\.(ya?ml|json)$/.test(entry.name)) return [path.join(dir, entry.name)];
    const inside = path.join(dir, entry.name, 'script.yaml');
    return entry.isDirectory() && existsSync(inside) ? [inside] : [];
  });
  return files.map((file) => parseScript(readFileSync(file, 'utf8'), file));
}

async function handle(context: Context, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const body = await readBody(request);
  if (body === undefined)
    return sendError(response, { status: 413, type: 'request_too_large', message: 'Request exceeds the maximum size' });
  if (url.pathname.startsWith('/_control/')) return control(context, request.method ?? 'GET', url, body, response);
  if (!/^Bearer .+/.test(request.headers.authorization ?? '') && !request.headers['x-api-key']) {
    return sendError(response, { status: 401, type: 'authentication_error', message: 'an API key is required' });
  }
  if (request.method === 'GET' && url.pathname.startsWith('/v1/models/')) {
    return describeModel(context, decodeURIComponent(url.pathname.slice('/v1/models/'.length)), response);
  }
  const isCount = url.pathname === '/v1/messages/count_tokens';
  if (request.method !== 'POST' || (url.pathname !== '/v1/messages' && !isCount)) {
    return sendError(response, { status: 404, type: 'not_found_error', message: `${request.method} ${url.pathname}` });
  }
  if (!request.headers['anthropic-version']) {
    return sendError(response, {
      status: 400,
      type: 'invalid_request_error',
      message: 'anthropic-version: header is required',
    });
  }
  let parsed: MessagesRequest;
  try {
    parsed = JSON.parse(body) as MessagesRequest;
  } catch {
    return sendError(response, {
      status: 400,
      type: 'invalid_request_error',
      message: 'The request body is not valid JSON',
    });
  }
  if (isCount)
    return sendJson(response, 200, { input_tokens: estimateTokens([parsed.system, parsed.tools, parsed.messages]) });
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  await answerRequest(context, parsed, response, gone.signal);
}

function describeModel(context: Context, model: string, response: ServerResponse): void {
  const script = context.scripts.get(scriptNameOf(model));
  if (!script) return sendError(response, { status: 404, type: 'not_found_error', message: `model: ${model}` });
  sendJson(response, 200, {
    type: 'model',
    id: model,
    display_name: script.name,
    max_input_tokens: script.window,
    max_tokens: script.maxOutput,
  });
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
