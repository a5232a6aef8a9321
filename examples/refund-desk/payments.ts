// A small payment service: refunds over HTTP, signed by Longhaul, idempotent by key, with a ledger that survives it.
// `node dist/examples/refund-desk/payments.js --port 9000 --ledger refunds.jsonl`, key in REFUND_HMAC_KEY.
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { Ledger, type LedgerEntry } from './ledger.js';

const refundRequest = z.object({
  arguments: z.strictObject({
    orderId: z.string().min(1).max(50),
    amountUsd: z.number().positive().multipleOf(0.01).max(10_000),
  }),
  runId: z.string(),
});

export interface PaymentsOptions {
  ledgerFile: string;
  /** HMAC key shared with the worker. */
  secret: string;
  /** 0: any free one. */
  port?: number;
}

export interface Payments {
  url: string;
  close(): Promise<void>;
}

/** Body and headers are small; a sender that goes on longer is cut off. */
const MAX_BODY = 64 * 1024;

export async function startPayments({ ledgerFile, secret, port = 0 }: PaymentsOptions): Promise<Payments> {
  const desk = new PaymentDesk(new Ledger(ledgerFile), secret);
  const server = createServer((request, response) => {
    desk.handle(request, response).catch((err: unknown) => send(response, 500, { error: String(err) }));
  });
  const url = await listen(server, port);
  return {
    url,
    async close() {
      desk.release();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      desk.ledger.close();
    },
  };
}

class PaymentDesk {
  /** Refund requests that arrived, by idempotency key. Of this process only. */
  private readonly requests = new Map<string, number>();
  private holdNext = false;
  private held: { entry: LedgerEntry; release: () => void } | undefined;

  constructor(
    readonly ledger: Ledger,
    private readonly secret: string,
  ) {}

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request);
    if (body === undefined) return send(response, 413, { error: `at most ${MAX_BODY} bytes` });
    switch (`${request.method} ${request.url?.split('?')[0]}`) {
      case 'POST /refund':
        return this.refund(request, body, response);
      case 'GET /ledger':
        return send(response, 200, {
          entries: this.ledger.entries().map((e) => ({ ...e, requests: this.requests.get(e.idempotencyKey) ?? 0 })),
        });
      // For the demo: the next new refund is written to the ledger and then not answered until it is released.
      case 'POST /_demo/hold':
        this.holdNext = true;
        return send(response, 200, {});
      case 'GET /_demo/hold':
        return send(response, 200, { armed: this.holdNext, held: this.held?.entry ?? null });
      case 'POST /_demo/release':
        this.release();
        return send(response, 200, {});
      default:
        return send(response, 404, { error: 'POST /refund, GET /ledger' });
    }
  }

  release(): void {
    this.holdNext = false;
    this.held?.release();
    this.held = undefined;
  }

  private async refund(request: IncomingMessage, body: string, response: ServerResponse): Promise<void> {
    if (!isSigned(this.secret, header(request, 'longhaul-signature'), body)) {
      return send(response, 401, { error: 'the signature does not fit' });
    }
    const idempotencyKey = header(request, 'idempotency-key');
    if (idempotencyKey === undefined) return send(response, 400, { error: 'Idempotency-Key is missing' });
    this.requests.set(idempotencyKey, (this.requests.get(idempotencyKey) ?? 0) + 1);

    const bodyHash = createHash('sha256').update(body).digest('hex');
    const before = this.ledger.find(idempotencyKey);
    if (before && before.bodyHash !== bodyHash) {
      return send(response, 409, { error: 'this Idempotency-Key came with another body before' });
    }
    if (before) return send(response, 200, answerOf(before), { 'idempotency-replayed': 'true' });

    const parsed = refundRequest.safeParse(parseJson(body));
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      return send(response, 400, { error: `${issue?.path.join('.') || 'body'}: ${issue?.message}` });
    }
    const { arguments: args, runId } = parsed.data;
    const refundId = `re_${randomBytes(8).toString('hex')}`;
    const entry = { refundId, idempotencyKey, bodyHash, ...args, runId, at: new Date().toISOString() };
    this.ledger.append(entry);
    if (this.holdNext) await this.hold(entry, response);
    send(response, 200, answerOf(entry));
  }

  /** Until it is released, or until nobody waits for the answer any more. */
  private hold(entry: LedgerEntry, response: ServerResponse): Promise<void> {
    this.holdNext = false;
    return new Promise((resolve) => {
      this.held = { entry, release: resolve };
      response.on('close', resolve);
    });
  }
}

const answerOf = ({ refundId, orderId, amountUsd }: LedgerEntry) => ({
  refundId,
  orderId,
  amountUsd: amountUsd.toFixed(2),
  status: 'paid',
});

const MAX_AGE_SECONDS = 300;

/** `t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`, not older than five minutes. */
function isSigned(secret: string, signature: string | undefined, body: string): boolean {
  const [, time = '', given = ''] = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(signature ?? '') ?? [];
  if (given === '' || Math.abs(Date.now() / 1000 - Number(time)) > MAX_AGE_SECONDS) return false;
  const expected = createHmac('sha256', secret).update(`${time}.${body}`).digest();
  return timingSafeEqual(expected, Buffer.from(given, 'hex'));
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
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

function send(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

async function listen(server: Server, port: number): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : port}`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { port: { type: 'string' }, ledger: { type: 'string' } } });
  const secret = process.env['REFUND_HMAC_KEY'];
  if (secret === undefined || secret === '') throw new Error('REFUND_HMAC_KEY is not set');
  const ledgerFile = values.ledger ?? '.longhaul/refund-desk/refunds.jsonl';
  const payments = await startPayments({ ledgerFile, secret, port: Number(values.port ?? 9000) });
  // One line that whoever started this waits for.
  console.log(JSON.stringify({ ready: true, url: payments.url, ledgerFile }));
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void payments.close());
}

if (require.main === module) {
  main().catch((err: unknown) => {
    console.error(err instanceof Error ? err.message : err);
    process.exit(1);
  });
}
