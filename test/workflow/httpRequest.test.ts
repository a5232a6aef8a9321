// http_request in a run: one tool, and by its method each call is a read or a write to the rules and after a crash.
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { waitFor } from '../../embedded/processes.js';
import type { Service } from '../../embedded/services.js';
import {
  ApiCaller,
  type TestService,
  calls,
  done,
  openPolicy,
  scriptOf,
  startTestService,
} from '../support/service.js';

const SECRET = 'hush-4f6c0a5e1d';
let service: TestService;
let api: ApiCaller;
let worker: Service;
let server: Server;
let url: string;
const seen: { method: string; url: string; headers: IncomingMessage['headers'] }[] = [];
/** Requests to /slow are never answered. */

beforeAll(async () => {
  service = await startTestService({ worker: false, env: { SHOP_TOKEN: SECRET } });
  worker = await service.startWorker();
  api = ApiCaller.of(service);
  server = createServer((req, res) => {
    seen.push({ method: req.method ?? '', url: req.url ?? '', headers: req.headers });
    if (req.url !== '/slow') res.setHeader('content-type', 'text/plain').end(`served ${req.url}`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await service?.stop();
  server?.closeAllConnections();
  server?.close();
});

const agent = (name: string, more: Record<string, unknown> = {}): { name: string } =>
  ({
    name,
    model: `scripted/${name}`,
    instructions: 'You are a test.',
    tools: [
      {
        name: 'http_request',
        allow: [
          {
            url: `${url}/`,
            methods: ['GET', 'POST'],
            private: true,
            headers: { authorization: 'Bearer ${secret:SHOP_TOKEN}' },
          },
        ],
      },
    ],
    ...more,
  }) as { name: string };

async function aRun(name: string, turns: Parameters<typeof scriptOf>[1], more: Record<string, unknown> = {}) {
  await service.model.putScript(scriptOf(name, turns));
  await api.putAgent(agent(name, more));
  return (await api.startRun(name)).id;
}

const requestsTo = (path: string) => seen.filter((request) => request.url === path);
const startedEffects = async (id: string) =>
  (await api.events(id)).filter((e) => e.type === 'tool.started').map((e) => e.data['effect']);

test('a GET is a read and a POST is irreversible, in the log and to the rules', async () => {
  const turns = [
    calls(['http_request', { url: `${url}/a` }], ['http_request', { url: `${url}/b`, method: 'POST', body: 'x' }]),
    done(),
  ];
  const asksWrites = { approve: [{ tool: 'http_request', when: 'effect != "read"' }] };
  const id = await aRun('http-effects', turns, asksWrites);
  const approval = await api.firstApproval(id);
  expect(approval).toMatchObject({ effect: 'irreversible', arguments: { method: 'POST' } });
  expect(await api.pendingApprovals(id)).toHaveLength(1);
  await api.decide(approval, 'approve');
  expect(await api.ended(id)).toMatchObject({ status: 'completed', usage: { toolCalls: 2 } });
  expect(new Set(await startedEffects(id))).toEqual(new Set(['irreversible', 'read']));
});

test('a person who makes a POST of a GET makes a write of it', async () => {
  const turns = [calls(['http_request', { url: `${url}/c` }]), done()];
  const id = await aRun('http-edit', turns, { approve: [{ tool: 'http_request' }] });
  const approval = await api.firstApproval(id);
  expect(approval.effect).toBe('read');
  await api.decide(approval, 'edit', { arguments: { url: `${url}/c`, method: 'POST', body: 'x' } });
  await api.ended(id);
  expect(await startedEffects(id)).toEqual(['irreversible']);
});

test('a secret named in the agent file reaches the service, and stands nowhere in the run', async () => {
  const id = await aRun('http-secret', [calls(['http_request', { url: `${url}/secret` }]), done()]);
  await api.ended(id);
  expect(requestsTo('/secret')).toMatchObject([{ headers: { authorization: `Bearer ${SECRET}` } }]);
  const everything = JSON.stringify([
    await api.events(id),
    await api.ok('GET', `/v1/runs/${id}/steps/1`),
    await api.ok('GET', `/v1/runs/${id}/steps/2/request`),
    await api.ok('GET', '/v1/agents/http-secret'),
    service.log,
  ]);
  expect(everything).toContain('served /secret');
  expect(everything).not.toContain(SECRET);
});

test('a worker killed inside a POST leaves it unknown, and inside a GET asks again', async () => {
  const killed = async (name: string, args: Record<string, unknown>) => {
    const before = requestsTo('/slow').length;
    const turns = [calls(['http_request', { url: `${url}/slow`, ...args }]), done()];
    const id = await aRun(name, turns, { policy: openPolicy });
    await waitFor('the request', async () => requestsTo('/slow').length > before || undefined);
    await worker.kill();
    worker = await service.startWorker();
    return id;
  };
  const post = await killed('http-crash-post', { method: 'POST' });
  expect(await api.ended(post)).toMatchObject({ status: 'completed', unknownCalls: [{ tool: 'http_request' }] });
  expect(requestsTo('/slow').filter((r) => r.method === 'POST')).toHaveLength(1);

  const get = await killed('http-crash-get', {});
  await waitFor('the second request', async () => requestsTo('/slow').filter((r) => r.method === 'GET')[1]);
  await api.ok('POST', `/v1/runs/${get}/cancel`);
  await api.ended(get);
});
