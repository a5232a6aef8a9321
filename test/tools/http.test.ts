// HTTP tools against real servers on loopback: what is posted, and what each answer means.
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import { type AddressInfo, type Server, type Socket, createServer as createTcpServer } from 'node:net';
import type { ToolDefinition } from '../../contracts/tools.js';
import { httpExecutor } from '../../tools/http.js';
import { verifySignature } from '../../index.js';
import { signBody } from '../../tools/httpSignature.js';
import { MAX_RESULT_BYTES } from '../../tools/result.js';
import { aCall, run, shown } from './context.js';

interface Request {
  method: string | undefined;
  url: string | undefined;
  headers: IncomingMessage['headers'];
  body: string;
}

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    (server as Server & { closeAllConnections?: () => void }).closeAllConnections?.();
    server.close();
  }
});

async function listening(server: Server): Promise<string> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/refund`;
}

/** A service that answers each request with `answer` and keeps what it was sent. */
async function aService(
  answer: (res: ServerResponse, request: Request) => void,
): Promise<{ url: string; requests: Request[]; sockets: Set<unknown> }> {
  const requests: Request[] = [];
  const sockets = new Set<unknown>();
  const url = await listening(
    createServer((req, res) => {
      sockets.add(req.socket);
      const chunks: Buffer[] = [];
      req.on('data', (chunk: Buffer) => chunks.push(chunk));
      req.on('end', () => {
        const body = Buffer.concat(chunks).toString('utf8');
        const request = { method: req.method, url: req.url, headers: req.headers, body };
        requests.push(request);
        answer(res, request);
      });
    }),
  );
  return { url, requests, sockets };
}

/** Speaks whatever bytes it likes. */
const aSocketService = (answer: (socket: Socket) => void): Promise<string> =>
  listening(createTcpServer((socket) => socket.on('error', () => undefined).once('data', () => answer(socket))));

const aTool = (url: string, more: Partial<ToolDefinition> = {}, secret?: string): ToolDefinition => ({
  name: 'refund',
  description: 'Pay money back.',
  input: { type: 'object' },
  effect: 'irreversible',
  labels: ['untrusted'],
  controls: [],
  external: true,
  timeoutMs: 5000,
  maxAttempts: 4,
  source: 'http',
  http: { url, ...(secret === undefined ? {} : { secret }) },
  ...more,
});

const ok = (res: ServerResponse): void => void res.end('{"refundId":"r-1"}');

describe('a call', () => {
  test('is posted with its arguments, where it comes from, and its key', async () => {
    const { url, requests } = await aService(ok);
    const ctx = aCall();
    const settled = await run(httpExecutor(aTool(url)), { orderId: 'A-7', note: 'grüße' }, ctx);
    expect(shown(settled)).toEqual({ text: '{"refundId":"r-1"}', isError: false });
    const [request] = requests;
    expect(request?.method).toBe('POST');
    expect(JSON.parse(request?.body ?? '')).toEqual({
      arguments: { orderId: 'A-7', note: 'grüße' },
      runId: ctx.runId,
      step: 3,
      toolCallId: ctx.toolCallId,
      agent: 'clerk',
    });
    expect(request?.headers).toMatchObject({
      'idempotency-key': `${ctx.runId}:${ctx.toolCallId}`,
      'content-type': 'application/json',
      'user-agent': expect.stringMatching(/^longhaul/),
    });
    expect(request?.headers).not.toHaveProperty('longhaul-signature');
  });

  test('is signed with the secret that the tool names', async () => {
    const { url, requests } = await aService(ok);
    await run(
      httpExecutor(aTool(url, {}, 'REFUND_HMAC_KEY')),
      { note: 'grüße' },
      aCall({ secrets: (name) => `hush ${name}` }),
    );
    const { headers, body } = requests[0] as Request;
    const signature = headers['longhaul-signature'] as string;
    expect(signature).toMatch(/^t=\d{10},v1=[0-9a-f]{64}$/);
    expect(verifySignature('hush REFUND_HMAC_KEY', signature, body)).toBe(true);
    expect(verifySignature('hush REFUND_HMAC_KEY', signature, Buffer.from(body))).toBe(true);
    expect(body).not.toContain('hush');
  });

  test('carries the headers of the agent file, with secrets put in by the worker', async () => {
    const { url, requests } = await aService(ok);
    const headers = { Authorization: 'Bearer ${secret:TOKEN}', 'X-Plain': 'yes', 'Content-Type': 'text/plain' };
    const ctx = aCall({ secrets: (name) => `hush ${name}` });
    const settled = await run(httpExecutor(aTool(url, { http: { url, headers } })), {}, ctx);
    expect(requests[0]?.headers).toMatchObject({
      authorization: 'Bearer hush TOKEN',
      'x-plain': 'yes',
      'content-type': 'application/json',
    });
    expect(requests[0]?.body).not.toContain('hush');
    expect(JSON.stringify(settled)).not.toContain('hush');
  });

  test('whose secret is not set is not sent', async () => {
    const { url, requests } = await aService(ok);
    const settled = await run(httpExecutor(aTool(url, {}, 'REFUND_HMAC_KEY')), {});
    expect(shown(settled)).toEqual({ text: 'the worker has no secret REFUND_HMAC_KEY', isError: true });
    expect(requests).toEqual([]);
  });

  test('never goes over a connection that an earlier one used', async () => {
    const { url, sockets } = await aService(ok);
    const executor = httpExecutor(aTool(url));
    for (let i = 0; i < 3; i++) await run(executor, {});
    expect(sockets.size).toBe(3);
  });
});

describe('a reconcilable tool asks its service what became of a key', () => {
  const asks = async (
    answer: (res: ServerResponse) => void,
    { method, secret }: { method?: 'GET' | 'POST'; secret?: string } = {},
  ) => {
    const service = await aService(answer);
    const http = {
      url: 'http://127.0.0.1:1/',
      reconcileUrl: `${service.url}?of=refunds`,
      ...(method === undefined ? {} : { reconcileMethod: method }),
      ...(secret === undefined ? {} : { secret }),
    };
    const executor = httpExecutor(aTool('', { effect: 'reconcilable', http }));
    const asked = () => executor.reconcile?.('run_1:call_1', aCall({ secrets: (name) => `hush ${name}` }));
    return { asked, requests: service.requests };
  };

  test('200: it happened, and the body is the result', async () => {
    const { asked, requests } = await asks(ok);
    expect(await asked()).toEqual({ happened: true, result: { content: '{"refundId":"r-1"}' } });
    expect(requests[0]).toMatchObject({ method: 'GET', url: '/refund?of=refunds&key=run_1%3Acall_1', body: '' });
  });

  test('404: it did not happen', async () => {
    const { asked } = await asks((res) => void res.writeHead(404).end('no such key'));
    expect(await asked()).toEqual({ happened: false });
  });

  test.each([202, 204, 302, 400, 401])('%i: nobody knows', async (status) => {
    const { asked } = await asks((res) => void res.writeHead(status).end());
    expect(await asked()).toBe('unknown');
  });

  test.each([408, 429, 500, 503])('%i: it is asked again later', async (status) => {
    const { asked } = await asks((res) => void res.writeHead(status).end());
    await expect(asked()).rejects.toMatchObject({ name: 'ToolUnavailable' });
  });

  test('signed: of a GET the key, of a POST the body', async () => {
    const get = await asks(ok, { secret: 'K' });
    const post = await asks(ok, { secret: 'K', method: 'POST' });
    await Promise.all([get.asked(), post.asked()]);
    const signature = (request: Request | undefined) => request?.headers['longhaul-signature'] as string;
    expect(verifySignature('hush K', signature(get.requests[0]), 'run_1:call_1')).toBe(true);
    const [posted] = post.requests as [Request];
    expect(verifySignature('hush K', signature(posted), posted.body)).toBe(true);
    expect(JSON.parse(posted.body)).toMatchObject({ key: 'run_1:call_1', runId: 'run_0123456789', step: 3 });
  });

  test('one that was stored without an address is not run again blindly', async () => {
    const executor = httpExecutor(aTool('http://127.0.0.1:1/', { effect: 'reconcilable' }));
    expect(await executor.reconcile?.('key', aCall())).toBe('unknown');
    expect(httpExecutor(aTool('http://127.0.0.1:1/')).reconcile).toBeUndefined();
  });
});

describe('an answer', () => {
  test.each([200, 201, 202])('%i is the result', async (status) => {
    const { url } = await aService((res) => void res.writeHead(status).end('done'));
    expect(shown(await run(httpExecutor(aTool(url)), {}))).toEqual({ text: 'done', isError: false });
  });

  test('204 is a result without output', async () => {
    const { url } = await aService((res) => void res.writeHead(204).end());
    expect(shown(await run(httpExecutor(aTool(url)), {}))).toEqual({ text: '(no output)', isError: false });
  });

  test.each([400, 401, 404, 409, 422])('%i is an error for the model, with the body', async (status) => {
    const { url } = await aService((res) => void res.writeHead(status).end('no such order'));
    expect(shown(await run(httpExecutor(aTool(url)), {}))).toEqual({
      text: `HTTP ${status}: no such order`,
      isError: true,
    });
  });

  test.each([301, 302, 307, 308])('%i is an error: redirects are not followed', async (status) => {
    const target = await aService(ok);
    const { url } = await aService((res) => void res.writeHead(status, { location: target.url }).end());
    expect(shown(await run(httpExecutor(aTool(url)), {}))).toEqual({ text: `HTTP ${status}`, isError: true });
    expect(target.requests).toEqual([]);
  });

  test.each([408, 429, 500, 502, 503])('%i is no answer yet', async (status) => {
    const { url } = await aService((res) => void res.writeHead(status).end('{"secret":"of the service"}'));
    const settled = await run(httpExecutor(aTool(url)), {});
    expect(settled).toEqual({ kind: 'unavailable', text: `${new URL(url).host} answered ${status}` });
  });

  test.each([
    ['seconds', () => '7', 6500, 7000],
    ['a date', () => new Date(Date.now() + 60_000).toUTCString(), 55_000, 60_000],
    ['a day', () => '86400', 3_600_000, 3_600_000],
    ['a date that is over', () => 'Sun, 06 Nov 1994 08:49:37 GMT', 0, 0],
  ])('that asks to wait for %s is tried again then', async (_, header, least, most) => {
    const { url } = await aService((res) => void res.writeHead(429, { 'retry-after': header() }).end());
    const settled = (await run(httpExecutor(aTool(url)), {})) as { retryAfterMs?: number };
    expect(settled.retryAfterMs).toBeGreaterThanOrEqual(least);
    expect(settled.retryAfterMs).toBeLessThanOrEqual(most);
  });

  test('that asks to wait in words that mean nothing is tried again at the usual time', async () => {
    const { url } = await aService((res) => void res.writeHead(503, { 'retry-after': 'soon' }).end());
    expect(await run(httpExecutor(aTool(url)), {})).not.toHaveProperty('retryAfterMs');
  });

  test('of 100 MB is an error that says the limit, and is not read to its end', async () => {
    let sent = 0;
    const { url } = await aService((res) => {
      const chunk = Buffer.alloc(1024 * 1024, 'a');
      const more = (): void => {
        while (sent < 100 && !res.destroyed) {
          sent++;
          if (!res.write(chunk)) return void res.once('drain', more);
        }
        res.end();
      };
      more();
    });
    const settled = shown(await run(httpExecutor(aTool(url)), {}));
    expect(settled.isError).toBe(true);
    expect(settled.text).toContain(`answered 200 with more than ${MAX_RESULT_BYTES} bytes`);
    expect(sent).toBeLessThan(100);
  });
});

describe('no answer', () => {
  test('when nobody listens', async () => {
    const server = createTcpServer();
    const url = await listening(server);
    await new Promise((resolve) => server.close(resolve));
    servers.pop();
    expect(await run(httpExecutor(aTool(url)), {})).toMatchObject({ kind: 'unavailable' });
  });

  test.each<[string, (socket: Socket) => void]>([
    ['the connection is closed before the answer', (socket) => socket.destroy()],
    ['the answer is cut off', (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"ref')],
    ['the answer is no HTTP', (socket) => socket.end('SSH-2.0-OpenSSH_9.6\r\n')],
  ])('when %s', async (_, answer) => {
    expect(await run(httpExecutor(aTool(await aSocketService(answer))), {})).toMatchObject({ kind: 'unavailable' });
  });

  test('when the service takes longer than the timeout, and its connection is closed', async () => {
    let closed: Promise<void> | undefined;
    const { url } = await aService((res) => {
      closed = new Promise((resolve) => res.once('close', resolve));
    });
    const settled = await run(httpExecutor(aTool(url)), {}, aCall(), 50);
    expect(settled).toEqual({ kind: 'unavailable', text: 'refund did not return within 0.05 s.' });
    await closed;
  });

  test('when the run is cancelled, and the connection is closed', async () => {
    const cancel = new AbortController();
    let closed: Promise<void> | undefined;
    const { url } = await aService((res) => {
      closed = new Promise((resolve) => res.once('close', resolve));
      cancel.abort();
    });
    expect(await run(httpExecutor(aTool(url)), {}, aCall({ signal: cancel.signal }))).toMatchObject({
      kind: 'unavailable',
    });
    await closed;
  });
});

describe('a signature', () => {
  const NOW = 1_700_000_000_000;
  const body = '{"a":1}';
  const signature = signBody('hush', body, NOW);
  const check = (secret: string, header: string | undefined, text: string, nowMs = NOW): boolean =>
    verifySignature(secret, header, text, { nowMs });

  test('holds for its secret, body and time', () => {
    expect(check('hush', signature, body)).toBe(true);
    expect(check('hush', signature, body, NOW + 299_000)).toBe(true);
  });

  test.each<[string, boolean]>([
    ['another secret', check('hash', signature, body)],
    ['another body', check('hush', signature, '{"a":2}')],
    ['another time', check('hush', signature.replace(/^t=\d/, 't=2'), body)],
    ['an old one', check('hush', signature, body, NOW + 301_000)],
    ['one from the future', check('hush', signature, body, NOW - 301_000)],
    ['none', check('hush', undefined, body)],
    ['half of one', check('hush', signature.slice(0, -2), body)],
  ])('does not hold for %s', (_, holds) => {
    expect(holds).toBe(false);
  });
});
