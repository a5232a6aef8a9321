// A command line run in-process against a small HTTP server that speaks the contract.
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { Io } from '../../cli/io.js';
import { runCli } from '../../cli/main.js';

export interface Seen {
  method: string;
  path: string;
  query: Record<string, string>;
  headers: IncomingMessage['headers'];
  body: unknown;
}

type Answer = { status?: number; body?: unknown } | ((request: Seen, response: ServerResponse) => void);

export interface FakeService {
  url: string;
  seen: Seen[];
  /** Requests that were made to this method and path. */
  sent(route: string): Seen[];
  close(): Promise<void>;
}

/** Routes are `GET /v1/runs/run_1`; everything else is a 404 problem. */
export async function fakeService(routes: Record<string, Answer>): Promise<FakeService> {
  const seen: Seen[] = [];
  const answerTo = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await read(request);
    const url = new URL(request.url ?? '/', 'http://localhost');
    const { method = '', headers } = request;
    const call = { method, path: url.pathname, query: Object.fromEntries(url.searchParams), headers, body };
    seen.push(call);
    const answer = routes[`${method} ${url.pathname}`];
    if (typeof answer === 'function') return answer(call, response);
    const { status = 200, body: reply } = answer ?? { status: 404, body: problem('not-found', 404, 'No such thing') };
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(reply));
  };
  const server = createServer((request, response) => void answerTo(request, response));
  const port = await listen(server);
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    sent: (route) => seen.filter((s) => `${s.method} ${s.path}` === route),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : 0);
    });
  });
}

async function read(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  const isJson = request.headers['content-type'] === 'application/json';
  return text === '' ? undefined : isJson ? JSON.parse(text) : text;
}

export const problem = (code: string, status: number, title: string, more: object = {}) => ({
  type: `https://longhaul.dev/problems/${code}`,
  title,
  status,
  detail: `${title}.`,
  requestId: 'req_7',
  ...more,
});

export interface Typed {
  code: number;
  out: string;
  err: string;
  /** Standard output as one JSON document per line. */
  json: () => Record<string, unknown>[];
}

export interface Terminal {
  isTerminal?: boolean;
  answers?: string[];
  stdin?: string;
  env?: Record<string, string>;
  columns?: number;
  /** Presses Ctrl-C when this was printed. */
  interruptAt?: string;
  /** Called when something was printed, with everything that was. */
  onOut?: (out: string) => void;
}

/** What a person would see who types these words. Without `isTerminal` it is a pipe. */
export async function type(words: string[], terminal: Terminal = {}): Promise<Typed> {
  const shown = { out: '', err: '' };
  const answers = [...(terminal.answers ?? [])];
  let interrupt: (() => void) | undefined;
  const io: Io = {
    out(text) {
      shown.out += text;
      terminal.onOut?.(shown.out);
      if (terminal.interruptAt !== undefined && shown.out.includes(terminal.interruptAt)) interrupt?.();
    },
    err: (text) => void (shown.err += text),
    env: { LONGHAUL_API_KEY: 'a key', TZ: 'UTC', ...terminal.env },
    isTerminal: terminal.isTerminal === true,
    canAsk: terminal.isTerminal === true,
    columns: () => terminal.columns ?? 100,
    ask: async (question) => {
      shown.out += question;
      return answers.shift();
    },
    readStdin: async () => terminal.stdin ?? '',
    onInterrupt(handler) {
      interrupt = handler;
      return () => undefined;
    },
  };
  const code = await runCli(words, io);
  const lines = () => shown.out.split('\n').filter((line) => line !== '');
  return { code, ...shown, json: () => lines().map((line) => JSON.parse(line)) };
}

export const aRun = (more: object = {}) => ({
  id: 'run_1',
  agent: 'refund-desk',
  agentVersion: 'abcdef0123456789',
  status: 'completed',
  steps: 2,
  usage: {
    inputTokens: 3,
    outputTokens: 200,
    cacheReadTokens: 1000,
    cacheWriteTokens: 100,
    modelCalls: 2,
    toolCalls: 1,
  },
  costUsd: '0.012345',
  limits: {
    maxSteps: 40,
    maxTokens: 600000,
    maxCostUsd: '1.00',
    maxToolCalls: 60,
    deadline: '2026-11-25T12:00:00.000Z',
  },
  metadata: {},
  createdAt: '2026-11-23T12:00:00.000Z',
  startedAt: '2026-11-23T12:00:00.000Z',
  endedAt: '2026-11-23T12:00:41.000Z',
  output: { text: 'All letters are settled.', content: [{ type: 'text', text: 'All letters are settled.' }] },
  links: { temporal: 'http://127.0.0.1:8233/run' },
  ...more,
});

export const anApproval = (more: object = {}) => ({
  id: 'apr_1',
  code: 'K7QF',
  runId: 'run_1',
  agent: 'refund-desk',
  approvers: 1,
  votes: [],
  step: 2,
  toolCallId: 'toolu_1',
  kind: 'approval',
  tool: 'refund',
  effect: 'idempotent',
  arguments: { orderId: 'RD-1077', amountUsd: 129 },
  argumentsDigest: 'digest-of-what-was-shown',
  reason: 'refunds above 50 US dollars are agreed by a person',
  rule: 'approve[0]',
  requestedAt: '2026-11-23T12:00:00.000Z',
  expiresAt: '2099-11-24T12:00:00.000Z',
  onExpiry: 'reject',
  status: 'pending',
  ...more,
});

export const aStep = (step: number, more: object = {}) => ({
  step,
  model: 'claude-sonnet-5-5',
  attempts: 1,
  stopReason: 'tool_use',
  shown: {},
  requestHash: 'r'.repeat(64),
  requestedAt: new Date(Date.UTC(2026, 10, 23, 12)).toISOString(),
  usage: { inputTokens: 3, outputTokens: 20, cacheReadTokens: 0, cacheWriteTokens: 0 },
  costUsd: '0.0012',
  durationMs: 400,
  toolCalls: [],
  reply: [{ type: 'text', text: `What I say at step ${step}.` }],
  ...more,
});

export const aToolCall = (more: object = {}) => ({
  toolCallId: 'toolu_1',
  tool: 'refund',
  summary: 'refund(orderId="RD-1042", amountUsd=18.5)',
  effect: 'idempotent',
  verdict: 'execute',
  rule: 'default',
  reason: 'no rule asks',
  argumentsDigest: 'a'.repeat(64),
  outcome: 'succeeded',
  isError: false,
  attempts: 1,
  durationMs: 300,
  arguments: { orderId: 'RD-1042', amountUsd: 18.5 },
  result: [{ type: 'text', text: 'paid' }],
  ...more,
});

export const anEvent = (seq: number, eventType: string, more: object = {}) => ({
  seq,
  type: eventType,
  at: new Date(Date.UTC(2026, 10, 23, 12, 0, seq)).toISOString(),
  actor: { kind: 'system', id: 'worker' },
  data: {},
  prevHash: `h${seq - 1}`,
  hash: `h${seq}`,
  ...more,
});

export const frame = (event: { seq: number; type: string }): string =>
  `id: ${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;

/** An address on which nobody listens any more. */
export async function goneAddress(): Promise<string> {
  const service = await fakeService({});
  await service.close();
  return service.url;
}
