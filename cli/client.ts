// The REST API as functions. Every answer is checked against its schema; every refusal becomes a ProblemError.
import { z } from 'zod';
import type { Connection } from './connection.js';
import { ProblemError, Unreachable } from './errors.js';
import { pageOf } from './shapes.js';

export interface RequestOptions {
  query?: Record<string, string | number | boolean | undefined>;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

const problemBody = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.number(),
  detail: z.string().optional(),
  requestId: z.string().optional(),
  errors: z
    .array(
      z.looseObject({
        path: z.string(),
        message: z.string(),
        line: z.number().optional(),
        column: z.number().optional(),
      }),
    )
    .optional(),
});

/** Most rows that the service gives at once. */
const MAX_PAGE = 200;

export class Client {
  constructor(private readonly connection: Connection) {}

  get url(): string {
    return this.connection.url;
  }

  get<T extends z.ZodType>(path: string, schema: T, options: RequestOptions = {}): Promise<z.infer<T>> {
    return this.call('GET', path, schema, options);
  }

  post<T extends z.ZodType>(
    path: string,
    schema: T,
    body?: unknown,
    options: RequestOptions = {},
  ): Promise<z.infer<T>> {
    return this.call('POST', path, schema, { ...options, ...(body === undefined ? {} : { body }) });
  }

  async call<T extends z.ZodType>(
    method: string,
    path: string,
    schema: T,
    options: RequestOptions,
  ): Promise<z.infer<T>> {
    const { answer } = await this.callWithStatus(method, path, schema, options);
    return answer;
  }

  async callWithStatus<T extends z.ZodType>(
    method: string,
    path: string,
    schema: T,
    options: RequestOptions,
  ): Promise<{ status: number; answer: z.infer<T> }> {
    const response = await this.send(method, path, options);
    const answer: unknown = await response.json().catch(() => undefined);
    const parsed = schema.safeParse(answer);
    if (parsed.success) return { status: response.status, answer: parsed.data };
    const [issue] = parsed.error.issues;
    throw new Error(
      `${method} ${path} was answered with something this command does not understand ` +
        `(${issue?.path.join('.')}: ${issue?.message}). Are service and command of one version?`,
    );
  }

  /** Rows of a list, page by page, at most `limit`. */
  async list<T extends z.ZodType>(
    path: string,
    item: T,
    { query = {}, limit }: { query?: RequestOptions['query']; limit: number },
  ): Promise<{ rows: z.infer<T>[]; more: boolean }> {
    const rows: z.infer<T>[] = [];
    let next: Record<string, string | number> = {};
    for (;;) {
      const page = await this.get(path, pageOf(item), {
        query: { ...query, ...next, limit: Math.min(MAX_PAGE, limit - rows.length) },
      });
      rows.push(...page.data);
      const more = typeof page.nextCursor === 'string' || typeof page.nextAfter === 'number';
      if (!more || rows.length >= limit) return { rows, more };
      next = typeof page.nextCursor === 'string' ? { cursor: page.nextCursor } : { after: page.nextAfter ?? 0 };
    }
  }

  /** The raw response, when it is a good one. */
  async send(
    method: string,
    path: string,
    { query = {}, body, headers, signal }: RequestOptions = {},
  ): Promise<Response> {
    const url = new URL(this.connection.url + path);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const payload = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    let response: Response;
    try {
      response = await fetch(url, {
        method,
        headers: {
          authorization: `Bearer ${this.connection.key}`,
          ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(payload === undefined ? {} : { body: payload }),
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (err) {
      if (signal?.aborted) throw err;
      throw unreachable(this.connection.url, err);
    }
    if (response.ok) return response;
    throw await refusal(response);
  }
}

function unreachable(url: string, err: unknown): Unreachable {
  const { code, message } = causeOf(err);
  if (code === 'ECONNREFUSED') {
    return new Unreachable(
      `Nobody listens at ${url}. Start the service with \`npm start\`, or name another with --url or LONGHAUL_URL.`,
    );
  }
  return new Unreachable(`${url} does not answer: ${message}`);
}

/** fetch says "fetch failed"; what happened is in its cause. */
function causeOf(err: unknown): { code?: string | undefined; message: string } {
  if (typeof err !== 'object' || err === null) return { message: String(err) };
  if ('cause' in err && err.cause !== undefined) return causeOf(err.cause);
  const message = 'message' in err && err.message !== '' ? String(err.message) : undefined;
  const code = 'code' in err && typeof err.code === 'string' ? err.code : undefined;
  return { code, message: message ?? code ?? 'no reason given' };
}

async function refusal(response: Response): Promise<ProblemError> {
  const text = await response.text().catch(() => '');
  const parsed = problemBody.safeParse(parseJson(text));
  if (parsed.success) return new ProblemError(parsed.data);
  const title = response.statusText || 'The service refused';
  return new ProblemError({ type: 'about:blank', title, status: response.status, detail: text.slice(0, 300) });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
