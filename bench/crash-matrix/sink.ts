// The outside world: a real HTTP server with a ledger. `charge` and `wire` are idempotent by key, as payment services
// are; `launch` is not: two requests are two launches.
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';

export interface Entry {
  tool: string;
  toolCallId: string;
  arguments: unknown;
  /** Requests that arrived under this key. */
  requests: number;
  /** Times that something was really done. */
  effects: number;
}

/** A place in a request: when it has arrived and nothing is done yet, or when it is done and not answered. */
export interface SinkPlace {
  agent: string;
  toolCallId: string;
  when: 'before' | 'after';
}

export interface Sink {
  url: string;
  /** Of the run whose keys begin with this. */
  ledger(agentRunId: string): Entry[];
  /** The next request waits at this place, once. */
  holdAt(place: SinkPlace): SinkHold;
  close(): Promise<void>;
}

export interface SinkHold {
  isReached(): boolean;
  /** Lets go who waits here, or would. */
  release(): void;
}

interface Hold extends SinkHold, SinkPlace {
  /** False when the client went away in the meantime. */
  pass(response: ServerResponse): Promise<boolean>;
}

export async function startSink(): Promise<Sink> {
  const ledger = new Map<string, Entry>();
  const holds: Hold[] = [];

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://sink');
    const tool = url.pathname.slice(1);
    if (request.method === 'GET') {
      const entry = ledger.get(url.searchParams.get('key') ?? '');
      return answer(response, entry && entry.effects > 0 ? 200 : 404, { done: entry?.arguments });
    }
    const key = String(request.headers['idempotency-key']);
    const body = JSON.parse(await textOf(request)) as { arguments: unknown; agent: string; toolCallId: string };
    const { agent, toolCallId } = body;
    const entry = ledger.get(key) ?? { tool, toolCallId, arguments: body.arguments, requests: 0, effects: 0 };
    ledger.set(key, entry);
    entry.requests += 1;
    const stay = async (when: SinkPlace['when']): Promise<boolean> => {
      const at = holds.findIndex((h) => h.agent === agent && h.toolCallId === toolCallId && h.when === when);
      return at < 0 || (holds.splice(at, 1)[0] as Hold).pass(response);
    };
    // Whoever dies before its effect has not had it.
    if (!(await stay('before'))) return;
    if (entry.effects === 0 || tool === 'launch') entry.effects += 1;
    if (await stay('after')) answer(response, 200, { done: body.arguments });
  };
  const server = createServer((request, response) => void handle(request, response).catch(() => response.destroy()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };

  return {
    url: `http://127.0.0.1:${port}`,
    ledger: (agentRunId) => [...ledger].filter(([key]) => key.startsWith(agentRunId)).map(([, entry]) => entry),
    holdAt(place) {
      const hold = newHold(place, () => {
        const at = holds.indexOf(hold);
        if (at >= 0) holds.splice(at, 1);
      });
      holds.push(hold);
      return hold;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function newHold(place: SinkPlace, forget: () => void): Hold {
  let reached = false;
  let letGo = (): void => undefined;
  const released = new Promise<void>((resolve) => (letGo = resolve));
  return {
    ...place,
    isReached: () => reached,
    release() {
      forget();
      letGo();
    },
    async pass(response) {
      reached = true;
      const gone = new Promise<void>((resolve) => response.once('close', resolve));
      await Promise.race([released, gone]);
      return !response.closed;
    },
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
