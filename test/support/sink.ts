// The outside world of a test: a real HTTP server that tools act on, with a ledger of what was done to it.
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';

export interface Effect {
  path: string;
  key: string;
  arguments: unknown;
}

export interface Sink {
  url: string;
  /** Every request that arrived, in order. */
  requests: Effect[];
  /** What was really done: one entry per path and key, as a payment service would have it. */
  effects(): Effect[];
  /** The next request to this path has its effect and then waits, unanswered, until released or dropped. */
  holdNext(path: string): Hold;
  /** Answers to come for a path, each once: a status, or a status with a text. */
  answerNext(path: string, status: number, body?: string, headers?: Record<string, string>): void;
  /** Called as each request arrives. */
  onRequest?: (request: Effect) => void;
  close(): Promise<void>;
}

export interface Hold {
  /** Resolves when the request has arrived. */
  arrived: Promise<void>;
  release(): void;
}

export async function startSink(): Promise<Sink> {
  const requests: Effect[] = [];
  const holds = new Map<string, { arrive: () => void; released: Promise<void> }[]>();
  const answers = new Map<string, { status: number; body: string; headers: Record<string, string> }[]>();

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = request.url ?? '/';
    const body = await textOf(request);
    const parsed = JSON.parse(body === '' ? '{}' : body) as { arguments?: unknown };
    const planned = answers.get(path)?.shift();
    const effect = { path, key: String(request.headers['idempotency-key']), arguments: parsed.arguments };
    requests.push(effect);
    sink.onRequest?.(effect);
    const hold = holds.get(path)?.shift();
    if (hold) {
      hold.arrive();
      await hold.released;
    }
    response.writeHead(planned?.status ?? 200, { 'content-type': 'application/json', ...planned?.headers });
    response.end(planned?.body ?? JSON.stringify({ ok: true, path, arguments: parsed.arguments }));
  };
  const server = createServer((request, response) => void handle(request, response).catch(() => response.destroy()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };

  const sink: Sink = {
    url: `http://127.0.0.1:${port}`,
    requests,
    effects: () => requests.filter((r, i) => requests.findIndex((q) => q.path === r.path && q.key === r.key) === i),
    holdNext(path) {
      let release = (): void => undefined;
      const released = new Promise<void>((resolve) => (release = resolve));
      const arrived = new Promise<void>((resolve) => {
        holds.set(path, [...(holds.get(path) ?? []), { arrive: resolve, released }]);
      });
      return { arrived, release };
    },
    answerNext(path, status, body = '', headers = {}) {
      answers.set(path, [...(answers.get(path) ?? []), { status, body, headers }]);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return sink;
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
