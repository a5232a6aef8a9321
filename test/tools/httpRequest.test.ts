// http_request against real servers on loopback: what may be asked, of whom, and what comes back.
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type HttpRule, httpRule } from '../../contracts/httpRequest.js';
import type { ToolDefinition } from '../../contracts/tools.js';
import type { Address, Resolve } from '../../sandbox/egress.js';
import { httpRequestDefinition, httpRequestTool } from '../../tools/builtIn/httpRequest.js';
import type { Settled } from '../../tools/execution.js';
import { aCall, run, shown } from './context.js';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

type Seen = { method: string; url: string; headers: IncomingMessage['headers']; body: string };

async function aServer(answer: (res: ServerResponse, seen: Seen) => void): Promise<{ port: number; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const request = {
        method: req.method ?? '',
        url: req.url ?? '',
        headers: req.headers,
        body: Buffer.concat(chunks).toString('utf8'),
      };
      seen.push(request);
      answer(res, request);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, seen };
}

/** Names of the test, as a resolver would answer for them; each question takes the next answer. */
function names(answers: Record<string, string[][]>): Resolve & { asked: string[] } {
  const asked: string[] = [];
  const resolve = async (host: string): Promise<Address[]> => {
    asked.push(host);
    const given = answers[host];
    const found = given && (given.length > 1 ? given.shift() : given[0]);
    if (!found) throw Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: 'ENOTFOUND' });
    return found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  };
  return Object.assign(resolve, { asked });
}

type Rule = Partial<HttpRule> & { url: string };

function tool(allow: Rule[], more: Partial<NonNullable<ToolDefinition['httpRequest']>> = {}): ToolDefinition {
  const rules = allow.map((rule) => httpRule.parse(rule));
  return {
    ...httpRequestDefinition,
    httpRequest: { allow: rules, maxRedirects: 3, maxResponseBytes: 10_000, ...more },
  };
}

const ask = (
  allow: Rule[],
  args: Record<string, unknown>,
  resolve?: Resolve,
  more?: Parameters<typeof tool>[1],
): Promise<Settled> => run(httpRequestTool(tool(allow, more), resolve), args);

const own = (port: number, more: Partial<HttpRule> = {}): Rule => ({
  url: `http://127.0.0.1:${port}/`,
  private: true,
  ...more,
});
const hello = (res: ServerResponse): void => void res.setHeader('content-type', 'text/plain').end('hello');

describe('an address', () => {
  test('that a rule allows is asked, and the answer is shown with its status and type', async () => {
    const { port, seen } = await aServer(hello);
    const settled = await ask([own(port)], { url: `http://127.0.0.1:${port}/a?b=c#d` });
    expect(shown(settled)).toEqual({ text: 'HTTP 200, text/plain\n\nhello', isError: false });
    expect(seen).toMatchObject([{ method: 'GET', url: '/a?b=c' }]);
    expect(seen[0]?.headers).not.toHaveProperty('idempotency-key');
  });

  test.each([
    ['another host', 'https://evil.example/', 'GET https://evil.example/ is not allowed'],
    ['another port', 'http://api.example:8080/v1/x', 'is not allowed'],
    ['another scheme', 'http://api.example/v1/x', 'is not allowed'],
    ['a path beside the allowed one', 'https://api.example/v10', 'is not allowed'],
    ['a way out of the allowed path', 'https://api.example/v1/../admin', '/admin is not allowed'],
    ['the same in percent signs', 'https://api.example/v1/%2e%2e/admin', '/admin is not allowed'],
    ['a slash in percent signs', 'https://api.example/v1/..%2fadmin', 'A path with %2F'],
    ['a name that only begins so', 'https://api.example.evil.example/v1', 'is not allowed'],
    ['a user before the host', 'https://api.example@evil.example/v1', 'with a user or a password'],
    ['a file', 'file:///etc/passwd', 'file: is not http or https'],
    ['no address', 'api.example/v1', 'is no address'],
  ])('that is %s is refused with what is allowed, and nothing is looked up', async (_, url, text) => {
    const resolve = names({});
    const settled = shown(await ask([{ url: 'https://api.example/v1' }], { url }, resolve));
    expect(settled).toMatchObject({ isError: true, text: expect.stringContaining(text) });
    expect(settled.text).toContain('Nothing was sent');
    expect(resolve.asked).toEqual([]);
  });

  test('is allowed by a star for every name below, and not for the name itself', async () => {
    const { port } = await aServer(hello);
    const rules = [{ url: `http://*.shop.example:${port}`, private: true }];
    const resolve = names({ 'a.b.shop.example': [['127.0.0.1']], 'shop.example': [['127.0.0.1']] });
    expect(shown(await ask(rules, { url: `http://a.b.shop.example:${port}/` }, resolve)).isError).toBe(false);
    expect(shown(await ask(rules, { url: `http://shop.example:${port}/` }, resolve)).text).toContain('not allowed');
    expect(shown(await ask(rules, { url: `http://evilshop.example:${port}/` }, resolve)).text).toContain('not allowed');
  });
});

describe('a private, loopback, link-local or metadata address', () => {
  test.each([
    ['loopback', '127.0.0.1'],
    ['a private network', '10.1.2.3'],
    ['IPv6 loopback', '::1'],
    ['IPv4 in IPv6', '::ffff:127.0.0.1'],
    ['link-local', '169.254.169.254'],
    ['a metadata service', 'fd00:ec2::254'],
  ])('behind an allowed name (%s) is refused after the name is resolved', async (_, address) => {
    const { port, seen } = await aServer(hello);
    const resolve = names({ 'api.example': [[address]] });
    const settled = shown(
      await ask([{ url: `http://api.example:${port}` }], { url: `http://api.example:${port}/` }, resolve),
    );
    expect(settled).toMatchObject({
      isError: true,
      text: expect.stringMatching(/api\.example is .*Nothing was sent/s),
    });
    expect(seen).toEqual([]);
  });

  test.each(['http://127.0.0.1', 'http://2130706433', 'http://0x7f.1', 'http://0177.0.0.1', 'http://[::ffff:7f00:1]'])(
    'written as %s is refused without an opt-in',
    async (origin) => {
      const { port, seen } = await aServer(hello);
      const { hostname } = new URL(origin);
      const settled = shown(await ask([{ url: `http://${hostname}:${port}` }], { url: `${origin}:${port}/` }));
      expect(settled).toMatchObject({ isError: true, text: expect.stringContaining('private network') });
      expect(seen).toEqual([]);
    },
  );

  test('of the link-local and metadata kind stays refused with the opt-in', async () => {
    const rule = { url: 'http://169.254.169.254', private: true };
    const settled = shown(await ask([rule], { url: 'http://169.254.169.254/latest/meta-data/' }));
    expect(settled).toMatchObject({ isError: true, text: expect.stringContaining('no address on the internet') });
  });

  test('among good ones refuses the name', async () => {
    const { port, seen } = await aServer(hello);
    const resolve = names({ 'api.example': [['93.184.216.34', '127.0.0.1']] });
    await ask([{ url: `http://api.example:${port}` }], { url: `http://api.example:${port}/` }, resolve);
    expect(seen).toEqual([]);
  });

  test('cannot be slipped in by a name that resolves to something else the second time', async () => {
    const { port, seen } = await aServer(hello);
    // Good when it is looked at, loopback when it would be connected to: the connection goes where was looked.
    const resolve = names({ 'rebind.example': [['127.0.0.1'], ['169.254.169.254']] });
    const settled = shown(
      await ask(
        [{ url: `http://rebind.example:${port}`, private: true }],
        { url: `http://rebind.example:${port}/` },
        resolve,
      ),
    );
    expect(settled).toMatchObject({ isError: false, text: expect.stringContaining('hello') });
    expect(resolve.asked).toEqual(['rebind.example']);
    expect(seen).toHaveLength(1);
  });
});

describe('a redirect', () => {
  const redirect =
    (to: string, status = 302) =>
    (res: ServerResponse): void =>
      void res.writeHead(status, { location: to }).end();

  test('to an allowed address is followed, and the answer says from where it is', async () => {
    const { port } = await aServer((res, { url }) => (url === '/a' ? redirect('/b')(res) : hello(res)));
    const settled = shown(await ask([own(port)], { url: `http://127.0.0.1:${port}/a` }));
    expect(settled).toEqual({ text: `HTTP 200, text/plain, from http://127.0.0.1:${port}/b\n\nhello`, isError: false });
  });

  test.each([
    ['to a host that is not allowed', 'http://other.example/x', 'other.example/x is not allowed'],
    ['to a metadata service', 'http://169.254.169.254/', 'is not allowed'],
    ['to a file', 'file:///etc/passwd', 'file: is not http'],
  ])('%s is not followed', async (_, to, text) => {
    const { port } = await aServer(redirect(to));
    const resolve = names({});
    const settled = shown(await ask([own(port)], { url: `http://127.0.0.1:${port}/a` }, resolve));
    expect(settled).toMatchObject({ isError: true, text: expect.stringContaining(text) });
    expect(resolve.asked).toEqual([]);
  });

  test('to an allowed name that leads to a private address is not followed', async () => {
    const inside = await aServer(hello);
    const { port } = await aServer(redirect(`http://inside.example:${inside.port}/`));
    const rules = [own(port), { url: `http://inside.example:${inside.port}` }];
    const resolve = names({ 'inside.example': [['127.0.0.1']] });
    const settled = shown(await ask(rules, { url: `http://127.0.0.1:${port}/a` }, resolve));
    expect(settled.text).toContain('inside.example is of a private network');
    expect(inside.seen).toEqual([]);
  });

  test('without end is given up', async () => {
    const { port, seen } = await aServer(redirect('/again'));
    const settled = shown(await ask([own(port)], { url: `http://127.0.0.1:${port}/a` }));
    expect(settled).toMatchObject({ isError: true, text: expect.stringContaining('More than 3 redirects') });
    expect(seen).toHaveLength(4);
  });

  test('takes secret headers to no other host', async () => {
    const other = await aServer(hello);
    const { port, seen } = await aServer(redirect(`http://127.0.0.1:${other.port}/`));
    const rules = [own(port, { headers: { authorization: 'Bearer ${secret:KEY}' } }), own(other.port)];
    const executor = httpRequestTool(tool(rules));
    await run(executor, { url: `http://127.0.0.1:${port}/a` }, aCall({ secrets: () => 'hush' }));
    expect(seen[0]?.headers.authorization).toBe('Bearer hush');
    expect(other.seen[0]?.headers).not.toHaveProperty('authorization');
  });

  test('of a request that wrote makes a GET of it, or keeps the method where that is allowed', async () => {
    const { port, seen } = await aServer((res, { url }) =>
      url === '/see' ? redirect('/b', 303)(res) : url === '/keep' ? redirect('/b', 307)(res) : hello(res),
    );
    const rules = [own(port, { methods: ['GET', 'POST'] })];
    await ask(rules, { url: `http://127.0.0.1:${port}/see`, method: 'POST', body: 'x' });
    await ask(rules, { url: `http://127.0.0.1:${port}/keep`, method: 'POST', body: 'x' });
    expect(seen.map(({ method, url, body }) => [method, url, body])).toEqual([
      ['POST', '/see', 'x'],
      ['GET', '/b', ''],
      ['POST', '/keep', 'x'],
      ['POST', '/b', 'x'],
    ]);
  });
});

describe('a request', () => {
  test('that writes carries its idempotency key, its body and the secret that the rule names', async () => {
    const { port, seen } = await aServer(hello);
    const rules = [own(port, { methods: ['POST'], headers: { 'x-key': '${secret:API_KEY}' } })];
    const ctx = aCall({ secrets: (name) => `value of ${name}` });
    const args = {
      url: `http://127.0.0.1:${port}/orders`,
      method: 'POST',
      headers: [{ name: 'Content-Type', value: 'application/json' }],
      body: '{"a":1}',
    };
    const settled = shown(await run(httpRequestTool(tool(rules)), args, ctx));
    expect(seen).toMatchObject([
      {
        body: '{"a":1}',
        headers: {
          'idempotency-key': ctx.idempotencyKey,
          'x-key': 'value of API_KEY',
          'content-type': 'application/json',
        },
      },
    ]);
    expect(settled.text).not.toContain('value of');
  });

  test.each(['authorization', 'Host', 'cookie', 'x-anything'])('cannot set the header %s', async (name) => {
    const { port, seen } = await aServer(hello);
    const args = { url: `http://127.0.0.1:${port}/`, headers: [{ name, value: 'x' }] };
    const settled = shown(await ask([own(port)], args));
    expect(settled).toMatchObject({ isError: true, text: expect.stringContaining(`The header ${name} cannot be set`) });
    expect(seen).toEqual([]);
  });

  test('with another method than the rule allows is refused', async () => {
    const { port, seen } = await aServer(hello);
    const settled = shown(await ask([own(port)], { url: `http://127.0.0.1:${port}/`, method: 'DELETE' }));
    expect(settled).toMatchObject({ isError: true, text: expect.stringContaining('DELETE') });
    expect(seen).toEqual([]);
  });

  test('that never left is a failure and not unknown, when it would have written', async () => {
    const rules: Rule[] = [{ url: 'http://gone.example', methods: ['GET', 'POST'] }];
    const post = await ask(rules, { url: 'http://gone.example/', method: 'POST' }, names({}));
    expect(shown(post)).toEqual({ text: 'gone.example cannot be reached. Nothing was sent.', isError: true });
    const get = await ask(rules, { url: 'http://gone.example/' }, names({}));
    expect(get.kind).toBe('unavailable'); // tried again: it only reads
  });

  test('whose server takes too long is given up at the tool’s time limit', async () => {
    const { port } = await aServer(() => undefined);
    const executor = httpRequestTool(tool([own(port)]));
    const settled = await run(executor, { url: `http://127.0.0.1:${port}/` }, aCall(), 200);
    expect(settled).toMatchObject({ kind: 'unavailable', text: expect.stringContaining('did not return within') });
  });
});

describe('an answer', () => {
  test('that is an error is an error result with its body; one that asks to come back later is tried again', async () => {
    const { port } = await aServer((res, { url }) =>
      res.writeHead(Number(url.slice(1)), { 'retry-after': '7' }).end('why'),
    );
    const get = (status: number) => ask([own(port)], { url: `http://127.0.0.1:${port}/${status}` });
    expect(shown(await get(404))).toMatchObject({ isError: true, text: expect.stringMatching(/^HTTP 404\n.*why$/s) });
    for (const status of [408, 429, 500, 503]) {
      expect(await get(status)).toMatchObject({ kind: 'unavailable', retryAfterMs: 7000 });
    }
  });

  test('that is too large is not taken', async () => {
    const { port } = await aServer((res) => void res.end('x'.repeat(10_001)));
    const settled = shown(await ask([own(port)], { url: `http://127.0.0.1:${port}/` }));
    expect(settled.text).toBe('HTTP 200\n\n(more than 10000 bytes, which were not taken)');
  });

  test('that is packed though nobody asked for it is not unpacked, and bytes are not shown as text', async () => {
    const packed = await aServer((res) => void res.writeHead(200, { 'content-encoding': 'gzip' }).end(Buffer.alloc(9)));
    const bytes = await aServer((res) => void res.end(Buffer.from([0xff, 0xfe, 0x00, 0xd8])));
    const of = async (port: number) => shown(await ask([own(port)], { url: `http://127.0.0.1:${port}/` })).text;
    expect(await of(packed.port)).toContain('(9 bytes, packed as gzip)');
    expect(await of(bytes.port)).toContain('(4 bytes that are no text)');
  });
});
