// The outside world: a real HTTP server with a ledger. `charge` and `wire` are idempotent by key, as payment services
// are; `launch` is not: two requests are two launches.
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';

export interface Entry {
  tool: string;
  what: string;
  key: string;
  /** Requests that arrived under this key. */
  requests: number;
  /** Times that something was really done. */
  effects: number;
}

/** Called before and after the effect of each request; what it returns is waited for. */
export type Visit = (tool: string, what: string, when: 'before' | 'after') => Promise<void> | undefined;

export interface Sink {
  url: string;
  /** Of the run whose keys begin with this. */
  ledger(agentRunId: string): Entry[];
  onVisit(visit: Visit | undefined): void;
  close(): Promise<void>;
}

export async function startSink(): Promise<Sink> {
  const entries = new Map<string, Entry>();
  let visit: Visit | undefined;

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://sink');
    const tool = url.pathname.slice(1);
    const key = String(request.headers['idempotency-key'] ?? url.searchParams.get('key') ?? '');
    if (request.method === 'GET') {
      const entry = entries.get(`${tool} ${key}`);
      answer(response, entry && entry.effects > 0 ? 200 : 404, { done: entry?.what });
      return;
    }
    const body = JSON.parse(await textOf(request)) as { arguments: { what: string } };
    const { what } = body.arguments;
    const id = `${tool} ${key}`;
    const entry = entries.get(id) ?? { tool, what, key, requests: 0, effects: 0 };
    entries.set(id, entry);
    entry.requests += 1;
    await visit?.(tool, what, 'before');
    if (entry.effects === 0 || tool === 'launch') entry.effects += 1;
    await visit?.(tool, what, 'after');
    answer(response, 200, { done: what });
  };
  const server = createServer((request, response) => void handle(request, response).catch(() => response.destroy()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };

  return {
    url: `http://127.0.0.1:${port}`,
    ledger: (agentRunId) => [...entries.values()].filter((entry) => entry.key.startsWith(agentRunId)),
    onVisit: (next) => void (visit = next),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
