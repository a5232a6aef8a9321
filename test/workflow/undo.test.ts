// Undo: a person approves a plan, and what a run did is taken back, the latest effect first, each once.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Undo } from '../../contracts/undo.js';
import { waitFor } from '../../embedded/processes.js';
import type { Service } from '../../embedded/services.js';
import { verifySignature } from '../../index.js';
import {
  ApiCaller,
  type TestService,
  calls,
  done,
  openPolicy,
  scriptOf,
  startTestService,
} from '../support/service.js';

const ROOT = path.join(__dirname, '..', '..');
const HMAC = 'hush-hmac-9031';

interface Posted {
  url: string;
  key: string;
  body: Record<string, unknown>;
  signed: boolean;
}

let service: TestService;
let api: ApiCaller;
let worker: Service;
let server: Server;
let url: string;
let bookings: string;
const posted: Posted[] = [];
/** What undo addresses answer, by the item; the first answers first. */
const answers = new Map<string, (number | 'hang')[]>();

beforeAll(async () => {
  server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      const body = JSON.parse(text) as { arguments: { item: string } };
      const signed = verifySignature(HMAC, req.headers['longhaul-signature'] as string | undefined, text);
      posted.push({ url: req.url ?? '', key: String(req.headers['idempotency-key']), body, signed });
      const answer = req.url === '/undo' ? answers.get(body.arguments.item)?.shift() : undefined;
      if (answer === 'hang') return;
      res.statusCode = answer ?? 200;
      res.end(answer === undefined ? JSON.stringify({ booking: `b-${body.arguments.item}` }) : 'it left the house');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  bookings = path.join(process.env['LONGHAUL_TEST_DIR'] as string, `bookings-${process.pid}.jsonl`);
  service = await startTestService({
    worker: false,
    env: {
      LONGHAUL_TOOLS: path.join(ROOT, 'test/support/bookingTools.ts'),
      BOOKINGS_FILE: bookings,
      BOOK_HMAC: HMAC,
    },
  });
  worker = await service.startWorker();
  api = ApiCaller.of(service);
});
afterAll(async () => {
  await service?.stop();
  server?.closeAllConnections();
  server?.close();
});

const input = {
  type: 'object',
  properties: { item: { type: 'string' } },
  required: ['item'],
  additionalProperties: false,
};

function agent(name: string, more: Record<string, unknown> = {}): { name: string } {
  const tool = (verb: string, http: Record<string, string>) => ({
    name: verb,
    description: `${verb} something`,
    input,
    effect: 'idempotent',
    timeout: '4s',
    http: { url: `${url}/${verb}`, ...http },
  });
  const tools = [tool('book', { undoUrl: `${url}/undo`, secret: 'BOOK_HMAC' }), tool('mail', {}), 'reserve'];
  return { name, model: `scripted/${name}`, instructions: 'You are a test.', policy: openPolicy, tools, ...more } as {
    name: string;
  };
}

async function aRun(name: string, turns: Parameters<typeof scriptOf>[1], more: Record<string, unknown> = {}) {
  await service.model.putScript(scriptOf(name, turns));
  await api.putAgent(agent(name, more));
  const { id } = await api.startRun(name);
  await api.ended(id);
  return id;
}

const book = (item: string) => calls(['book', { item }]);
const undoOf = (id: string): Promise<Undo> => api.ok<Undo>('GET', `/v1/runs/${id}/undo`);
const approve = (id: string, planDigest: string, by = api) => by.call('POST', `/v1/runs/${id}/undo`, { planDigest });
const finished = (id: string): Promise<Undo> =>
  waitFor('the undo to finish', async () => {
    const seen = await undoOf(id);
    return seen.last?.status === 'finished' ? seen : undefined;
  });
const undosOf = (id: string) => posted.filter((p) => p.url === '/undo' && p.key.startsWith(id));
const itemsOf = (requests: Posted[]) => requests.map((p) => (p.body['arguments'] as { item: string }).item);
const codeOf = (answer: { body: Record<string, unknown> }) => String(answer.body['type']).split('/').at(-1);

test('the plan names what can be taken back, the latest first, and what cannot; approved, it is done once, in that order', async () => {
  const turns = [
    book('hotel'),
    calls(['mail', { item: 'guest' }]),
    calls(['reserve', { table: '4' }]),
    book('train'),
    done(),
  ];
  const id = await aRun('undo-main', turns);
  const { plan, last } = await undoOf(id);
  expect(last).toBeUndefined();
  expect(plan.steps.map((s) => [s.tool, s.arguments])).toEqual([
    ['book', { item: 'train' }],
    ['reserve', { table: '4' }],
    ['book', { item: 'hotel' }],
  ]);
  expect(plan.cannot).toMatchObject([
    { tool: 'mail', arguments: { item: 'guest' }, why: 'mail has no way to take it back' },
  ]);
  expect(undosOf(id)).toEqual([]);

  const both = await Promise.all([approve(id, plan.digest), approve(id, plan.digest)]);
  expect(both.map((answer) => answer.status)).toEqual([202, 202]);
  const end = await finished(id);
  expect(end.last?.calls.map((c) => [c.tool, c.outcome])).toEqual([
    ['book', 'undone'],
    ['reserve', 'undone'],
    ['book', 'undone'],
  ]);
  expect(itemsOf(undosOf(id))).toEqual(['train', 'hotel']);
  const [train] = undosOf(id);
  const call = plan.steps[0]?.toolCallId;
  expect(train).toMatchObject({ key: `${id}:${call}:undo`, signed: true, body: { result: { booking: 'b-train' } } });
  const notes = readFileSync(bookings, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
  expect(notes).toMatchObject([
    { did: 'reserve' },
    { did: 'cancel', args: { table: '4' }, result: { reservation: 'res-4' }, key: expect.stringMatching(/:undo$/) },
  ]);

  const types = (await api.events(id)).map((e) => e.type).filter((type) => /undo|compensat/.test(type));
  const each = ['tool.compensating', 'tool.compensated'];
  expect(types).toEqual(['undo.approved', ...each, ...each, ...each, 'undo.finished']);
  const approved = (await api.events(id)).find((e) => e.type === 'undo.approved');
  expect(approved).toMatchObject({
    actor: { kind: 'key' },
    data: { planDigest: plan.digest, cannot: [{ why: expect.any(String) }] },
  });

  // Given again it is answered as before; what is gone is in no later plan.
  expect((await approve(id, plan.digest)).status).toBe(202);
  expect(undosOf(id)).toHaveLength(2);
  const again = await undoOf(id);
  expect(again.plan).toMatchObject({ steps: [], cannot: [{ tool: 'mail' }] });
  const nothing = await approve(id, again.plan.digest);
  expect([nothing.status, codeOf(nothing)]).toEqual([409, 'nothing-to-undo']);
});

test('what could not be taken back is said, the rest is, and another undo tries it again', async () => {
  answers.set('suite', [409]);
  answers.set('slow', [503]);
  const id = await aRun('undo-fails', [book('slow'), book('suite'), book('chair'), done()]);
  const { plan } = await undoOf(id);
  await approve(id, plan.digest);
  const { last, plan: next } = await finished(id);
  expect(last?.calls).toMatchObject([
    { outcome: 'undone' },
    { outcome: 'failed', why: 'HTTP 409: it left the house' },
    { outcome: 'undone', attempts: 2 },
  ]);
  expect(new Set(undosOf(id).map((p) => p.key)).size).toBe(3); // the second attempt has the key of the first
  expect(next.steps).toMatchObject([{ arguments: { item: 'suite' } }]);
  await approve(id, next.digest);
  expect(
    (
      await waitFor('the second undo', async () => {
        const seen = await undoOf(id);
        return seen.last?.number === 2 && seen.last.status === 'finished' ? seen : undefined;
      })
    ).last?.calls,
  ).toMatchObject([{ outcome: 'undone' }]);
});

test('only a person with the role approves, only the plan that was shown, and only of a run that has ended', async () => {
  const id = await aRun('undo-rights', [book('one'), done()], { approvals: { separationOfDuty: true } });
  const { plan } = await undoOf(id);
  const other = await approve(id, 'f'.repeat(64));
  const key = async (role: string) => {
    const made = await api.ok<{ key: string }>('POST', '/v1/keys', { name: role, roles: [role] });
    return new ApiCaller(service.apiUrl, made.key);
  };
  const approver = await key('approver');
  const otherPlan = await approve(id, 'f'.repeat(64), approver);
  expect([codeOf(other), codeOf(otherPlan)]).toEqual(['separation-of-duty', 'digest-mismatch']);
  expect((await approve(id, plan.digest, await key('operator'))).status).toBe(403);
  expect(undosOf(id)).toEqual([]);
  expect((await approve(id, plan.digest, approver)).status).toBe(202);
  await finished(id);

  await service.model.putScript(scriptOf('undo-open', [calls(['book', { item: 'x' }]), done()]));
  await api.putAgent(agent('undo-open', { approve: [{ tool: 'book' }] }));
  const open = (await api.startRun('undo-open')).id;
  await api.firstApproval(open);
  const early = await approve(open, (await undoOf(open)).plan.digest);
  expect([early.status, codeOf(early)]).toEqual([409, 'run-open']);
  await api.ok('POST', `/v1/runs/${open}/cancel`);
  await api.ended(open);
});

test('a worker killed while it takes a call back: another asks again under the same key, and goes on', async () => {
  answers.set('boat', ['hang']);
  const id = await aRun('undo-killed', [book('cabin'), book('boat'), done()]);
  await approve(id, (await undoOf(id)).plan.digest);
  await waitFor('the request', async () => undosOf(id)[0]);
  await worker.kill();
  worker = await service.startWorker();
  const { last } = await finished(id);
  expect(last?.calls.map((c) => c.outcome)).toEqual(['undone', 'undone']);
  expect(itemsOf(undosOf(id))).toEqual(['boat', 'boat', 'cabin']);
  expect(new Set(undosOf(id).map((p) => p.key)).size).toBe(2);
});

test('an undo whose workflow is gone is started again by housekeeping, and passes by what was taken back', async () => {
  answers.set('desk', ['hang']);
  const id = await aRun('undo-swept', [book('desk'), book('lamp'), done()]);
  await approve(id, (await undoOf(id)).plan.digest);
  await waitFor('the second request', async () => undosOf(id)[1]);
  await service.temporal.workflow.getHandle(`undo-${id}-1`).terminate('by a test');
  const { last } = await finished(id);
  expect(last?.calls.map((c) => c.outcome)).toEqual(['undone', 'undone']);
  expect(itemsOf(undosOf(id))).toEqual(['lamp', 'desk', 'desk']);
  expect((await api.events(id)).filter((e) => e.type === 'undo.finished')).toHaveLength(1);
});

test('a run that is resumed afterwards is told what is gone, and is not resumed in the middle of it', async () => {
  answers.set('room', ['hang']);
  const id = await aRun('undo-resume', [book('room'), book('more'), done('so be it')], { limits: { maxSteps: 1 } });
  expect(await api.run(id)).toMatchObject({ status: 'stopped' });
  await approve(id, (await undoOf(id)).plan.digest);
  await waitFor('the request', async () => undosOf(id)[0]);
  const resume = () => api.call('POST', `/v1/runs/${id}/resume`, { limits: { maxSteps: 9 } });
  expect(codeOf(await resume())).toBe('undo-running');
  await worker.kill();
  worker = await service.startWorker();
  await finished(id);
  expect((await resume()).status).toBe(202);
  await api.runWith(id, 'completed', (run) => run.status === 'completed');
  const request = JSON.stringify(await api.ok('GET', `/v1/runs/${id}/steps/2/request`));
  expect(request).toContain('A person had these calls of yours taken back: book (');
});

test('longhaul undo shows the plan, takes it back with --yes, and says how it ended', async () => {
  const id = await aRun('undo-cli', [book('tent'), calls(['mail', { item: 'all' }]), done()]);
  const longhaul = (...words: string[]) =>
    promisify(execFile)(process.execPath, [path.join(ROOT, 'bin/longhaul.mjs'), 'undo', id, ...words], {
      env: { ...process.env, LONGHAUL_URL: service.apiUrl, LONGHAUL_API_KEY: service.adminKey, NO_COLOR: '1' },
    });
  const { stdout: plan } = await longhaul('--plan');
  expect(plan).toMatch(/^1\. take back {2}book\(.*tent.*\)/);
  expect(plan).toMatch(/cannot {5}mail\(.*\).*has no way to take it back/);
  expect(undosOf(id)).toEqual([]);
  const { stdout: end } = await longhaul('--yes');
  expect(end).toMatch(/undone {2}book/);
  await expect(longhaul('--yes')).rejects.toMatchObject({ code: 1 });
});
