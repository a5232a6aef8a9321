// Refused input: each with a stable type, the field it is about, and what to do.
/* oxlint-disable jest/expect-expect -- refused() is where this file expects */
import { randomBytes } from 'node:crypto';
import { type Answer, type TestApi, aForeignKey, codeOf, plainAgent, startTestApi } from './support.js';

let api: TestApi;
let runId: string;

beforeAll(async () => {
  api = await startTestApi();
  runId = (await api.aRun()).id;
});
afterAll(() => api?.stop());

const fieldsOf = (answer: Answer): unknown[] => (answer.body['errors'] as { path: string }[]).map((e) => e.path);

async function refused(answer: Promise<Answer>, status: number, code: string): Promise<Answer> {
  const got = await answer;
  expect({ status: got.status, code: codeOf(got) }).toEqual({ status, code });
  expect(got.headers['content-type']).toMatch(/^application\/problem\+json/);
  expect(got.body).toMatchObject({ status, title: expect.any(String), requestId: expect.stringMatching(/^req_/) });
  expect(String(got.body['detail']).length).toBeGreaterThan(10);
  return got;
}

const post = (body: unknown) => api.call('POST', '/v1/runs', { body });

describe('starting a run', () => {
  test('an agent that nobody stored is 404 unknown-agent and says how to store one', async () => {
    const answer = await refused(post({ agent: 'nobody', input: 'x' }), 404, 'unknown-agent');
    expect(answer.body['detail']).toContain('PUT /v1/agents/nobody');
  });

  test('a version that does not exist is unknown-agent', async () => {
    await refused(post({ agent: 'plain@00000000', input: 'x' }), 404, 'unknown-agent');
  });

  test('every wrong field has an entry of its own', async () => {
    const body = { agent: 'Not A Name', input: 5, limits: { maxSteps: 0, maxCostUsd: 5 }, metadata: { a: 1 } };
    const answer = await refused(post(body), 400, 'invalid-request');
    expect(fieldsOf(answer)).toEqual(
      expect.arrayContaining(['agent', 'input', 'limits.maxSteps', 'limits.maxCostUsd', 'metadata.a']),
    );
  });

  test.each([
    ['a field that nobody knows', { agent: 'plain', input: 'x', wat: 1 }],
    ['no input', { agent: 'plain' }],
    ['an empty input', { agent: 'plain', input: '' }],
    ['a block of another type', { agent: 'plain', input: [{ type: 'tool_use', id: 'x' }] }],
    ['a list', []],
    ['a text', 'hello'],
    ['metadata with too long a value', { agent: 'plain', input: 'x', metadata: { k: 'v'.repeat(501) } }],
    ['an unreadable time', { agent: 'plain', input: 'x', startAt: 'tomorrow' }],
    ['a parent that is no run id', { agent: 'plain', input: 'x', parentRunId: '1; DROP TABLE' }],
    ['a deadline that has passed', { agent: 'plain', input: 'x', limits: { deadline: '2001-01-01T00:00:00Z' } }],
    ['a deadline beyond all calendars', { agent: 'plain', input: 'x', limits: { deadline: '999999999w' } }],
    ['a start at the end of time', { agent: 'plain', input: 'x', startAt: '9999-12-31T23:59:59Z' }],
    ['more money than can be counted', { agent: 'plain', input: 'x', limits: { maxCostUsd: '999999999.999999999' } }],
    ['a NUL in metadata', { agent: 'plain', input: 'x', metadata: { k: 'a\0b' } }],
    ['half a surrogate pair in metadata', { agent: 'plain', input: 'x', metadata: { k: 'a\ud800' } }],
  ])('%s is 400 invalid-request', async (_what, body) => {
    await refused(api.call('POST', '/v1/runs', { raw: JSON.stringify(body) }), 400, 'invalid-request');
  });

  test('a parent that does not exist is 404', async () => {
    await refused(post({ agent: 'plain', input: 'x', parentRunId: 'run_0000000000' }), 404, 'not-found');
  });

  test('input with NUL, half a surrogate pair or any other character is kept as it is', async () => {
    const input = 'a\0b \ud800 \u2028 \u{1f600}';
    const answer = await api.call('POST', '/v1/runs', { raw: JSON.stringify({ agent: 'plain', input }) });
    expect(answer.status).toBe(201);
  });

  test('an Idempotency-Key of more than 255 characters is refused', async () => {
    const headers = { 'idempotency-key': 'k'.repeat(256) };
    const answer = await refused(
      api.call('POST', '/v1/runs', { body: { agent: 'plain', input: 'x' }, headers }),
      400,
      'invalid-request',
    );
    expect(fieldsOf(answer)).toEqual(['headers.idempotency-key']);
  });
});

describe('bodies', () => {
  const raw = (text: string | Buffer, headers?: Record<string, string>) =>
    api.call('POST', '/v1/runs', { raw: text, ...(headers === undefined ? {} : { headers }) });

  test('broken JSON is 400 invalid-json and says where it breaks', async () => {
    const answer = await refused(raw('{"agent": "plain", }'), 400, 'invalid-json');
    expect(answer.body['detail']).toMatch(/position 19|line 1 column 20/);
  });

  test.each([
    ['an empty body', ''],
    ['a body that is cut off', '{"agent":"pl'],
    ['a body that is not UTF-8', Buffer.from([0x7b, 0xff, 0xfe])],
    ['a prototype in disguise', '{"__proto__":{"a":1},"agent":"plain","input":"x"}'],
  ])('%s is 400 invalid-json', async (_what, text) => {
    await refused(raw(text), 400, 'invalid-json');
  });

  test('a body above 4 MiB is 413 and states the limit', async () => {
    const answer = await refused(raw(`"${'x'.repeat(4 * 1024 * 1024)}"`), 413, 'body-too-large');
    expect(answer.body['detail']).toContain('4194304');
  });

  test('another content type is 415 and says which ones are taken', async () => {
    const answer = await refused(raw('a=b', { 'content-type': 'text/html' }), 415, 'unsupported-media-type');
    expect(answer.body['detail']).toContain('application/json');
  });

  test('no bytes whatever make a 500', async () => {
    for (let i = 0; i < 200; i++) {
      const answer = await raw(randomBytes(1 + (i % 64)));
      expect(answer.status).toBe(400);
    }
  });
});

describe('paths and queries', () => {
  test.each([
    ['GET', '/v1/runs/run_unknown'],
    ['GET', '/v1/runs/%00'],
    ['GET', '/v1/runs/..%2f..%2fetc'],
    ['GET', `/v1/runs/${'r'.repeat(400)}`],
    ['GET', '/v1/runs/run_unknown/events'],
    ['GET', '/v1/runs/run_unknown/stream'],
    ['GET', '/v1/runs/run_unknown/steps'],
    ['GET', '/v1/runs/run_unknown/steps/1'],
    ['GET', '/v1/runs/run_unknown/steps/1/request'],
    ['POST', '/v1/runs/run_unknown/cancel'],
    ['POST', '/v1/runs/run_unknown/pause'],
    ['POST', '/v1/runs/run_unknown/resume'],
    ['DELETE', '/v1/runs/run_unknown'],
    ['GET', '/v1/approvals/apr_unknown'],
    ['GET', '/v1/approvals/%00'],
    ['GET', '/v1/agents/unknown'],
    ['GET', '/v1/agents/plain@ffffffff'],
    ['GET', '/v1/agents/%00/versions'],
    ['DELETE', '/v1/keys/key_unknown'],
    ['GET', '/v1/nothing'],
    ['GET', '/'],
    ['GET', '/v1/runs/%zz'],
  ])('%s %s is 404 not-found', async (method, url) => {
    await refused(api.call(method, url), 404, 'not-found');
  });

  test('an approval that does not exist takes no decision', async () => {
    const body = { decision: 'approve', argumentsDigest: 'x' };
    await refused(api.call('POST', '/v1/approvals/apr_unknown/decision', { body }), 404, 'not-found');
  });

  test.each([
    ['DELETE', '/v1/runs'],
    ['PUT', '/v1/approvals'],
    ['POST', '/v1/runs/run_1'],
    ['POST', '/v1/agents/plain'],
    ['GET', '/v1/approvals/apr_1/decision'],
  ])('%s %s is 405 and names the methods that the path takes', async (method, url) => {
    const answer = await refused(api.call(method, url), 405, 'method-not-allowed');
    expect(answer.headers['allow']).toMatch(/^[A-Z, ]+$/);
    expect(answer.headers['allow']).not.toContain(method);
  });

  const cursor = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  test.each([
    'nonsense',
    'AAAA',
    cursor({}),
    cursor(['2026-01-01', 'run_1']),
    cursor(["2026-01-01 00:00:00+00'; --", 'run_1']),
    cursor(['2026-02-31 00:00:00+00', 'run_1']),
    cursor(['2026-99-99 99:99:99+00', 'run_1']),
    cursor(['2026-01-01 00:00:00+99', 'run_1']),
    cursor(['2026-01-01 00:00:00+00', 'run_\0']),
  ])('the cursor %s is 400 invalid-cursor in every list', async (bad) => {
    await refused(api.call('GET', `/v1/runs?cursor=${bad}`), 400, 'invalid-cursor');
    await refused(api.call('GET', `/v1/approvals?cursor=${bad}`), 400, 'invalid-cursor');
    await refused(api.call('GET', `/v1/agents?cursor=${bad}`), 400, 'invalid-cursor');
  });

  test.each([
    ['/v1/runs?limit=0', 'querystring.limit'],
    ['/v1/runs?limit=201', 'querystring.limit'],
    ['/v1/runs?limit=many', 'querystring.limit'],
    ['/v1/runs?status=sleeping', 'querystring.status'],
    ['/v1/runs?createdAfter=yesterday', 'querystring.createdAfter'],
    ['/v1/runs?colour=red', 'colour'],
    ['/v1/runs?metadata.a=1&metadata.a=2', 'metadata.a'],
    ['/v1/approvals?status=maybe', 'querystring.status'],
    ['/v1/runs/RUN/events?after=-1', 'querystring.after'],
    ['/v1/runs/RUN/events?limit=1001', 'querystring.limit'],
    ['/v1/runs/RUN/events?types=run.created,wat', 'querystring.types'],
    ['/v1/runs/RUN/stream?after=x', 'querystring.after'],
    ['/v1/runs/RUN/steps/0', 'params.n'],
  ])('%s is 400 and names %s', async (url, field) => {
    const answer = await refused(api.call('GET', url.replace('RUN', runId)), 400, 'invalid-request');
    expect(fieldsOf(answer)).toEqual([field]);
  });

  test.each([
    '/v1/runs?agent=%00',
    '/v1/approvals?runId=%00',
    '/v1/runs?metadata.k=%ED%A0%80',
    '/v1/runs?metadata.%00=a',
  ])('%s is no 500', async (url) => {
    expect((await api.call('GET', url)).status).toBeLessThan(500);
  });

  test('a Last-Event-ID that is no number is 400', async () => {
    const headers = { 'last-event-id': 'x' };
    await refused(api.call('GET', `/v1/runs/${runId}/stream`, { headers }), 400, 'invalid-request');
  });
});

describe('keys', () => {
  test('no key is 401 and says how to send one', async () => {
    const answer = await refused(api.call('GET', '/v1/runs', { as: 'nobody' }), 401, 'unauthenticated');
    expect(answer.headers['www-authenticate']).toBe('Bearer');
    expect(answer.body['detail']).toContain('Authorization');
  });

  test.each(['Bearer lh_wrong', 'Basic abc', 'Bearer', 'Bearer a b'])('%s is 401', async (authorization) => {
    await refused(api.call('GET', '/v1/runs', { as: 'nobody', headers: { authorization } }), 401, 'unauthenticated');
  });

  test('a key of another tenant sees none of it: every id is 404', async () => {
    const headers = { authorization: `Bearer ${await aForeignKey(api.deps)}` };
    const theirs = (method: string, url: string, body?: unknown) =>
      api.call(method, url, { as: 'nobody', headers, ...(body === undefined ? {} : { body }) });
    await refused(theirs('GET', `/v1/runs/${runId}`), 404, 'not-found');
    await refused(theirs('GET', `/v1/runs/${runId}/events`), 404, 'not-found');
    await refused(theirs('GET', `/v1/runs/${runId}/stream`), 404, 'not-found');
    await refused(theirs('POST', `/v1/runs/${runId}/cancel`), 404, 'not-found');
    await refused(theirs('POST', `/v1/runs/${runId}/messages`, { content: 'x' }), 404, 'not-found');
    await refused(theirs('DELETE', `/v1/runs/${runId}`), 404, 'not-found');
    await refused(theirs('GET', '/v1/agents/plain'), 404, 'not-found');
    await refused(theirs('POST', '/v1/runs', { agent: 'plain', input: 'x' }), 404, 'unknown-agent');
    expect((await theirs('GET', '/v1/runs')).body).toEqual({ data: [], nextCursor: null });
    expect(((await theirs('GET', '/v1/keys')).body['data'] as unknown[]).length).toBe(1);
  });
});

describe('agent files', () => {
  const put = (name: string, raw: string, type = 'application/yaml') =>
    api.call('PUT', `/v1/agents/${name}`, { raw, headers: { 'content-type': type } });

  test('YAML that does not parse is 400 invalid-agent with line and column', async () => {
    const answer = await refused(put('a', 'name: a\nmodel: [\n'), 400, 'invalid-agent');
    expect(answer.body['errors']).toEqual([expect.objectContaining({ line: expect.any(Number) })]);
  });

  test('a field of the wrong type is named with its line', async () => {
    const answer = await refused(put('a', 'name: a\nmodel: m\ninstructions: 5\n'), 400, 'invalid-agent');
    expect(answer.body['errors']).toEqual([expect.objectContaining({ path: 'instructions', line: 3 })]);
  });

  test('a tool that no worker offers is named', async () => {
    const answer = await refused(
      put('a', 'name: a\nmodel: m\ninstructions: x\ntools: [teleport]\n'),
      400,
      'invalid-agent',
    );
    expect(answer.body['detail']).toContain('teleport');
    expect(answer.body['errors']).toEqual([expect.objectContaining({ line: 4 })]);
  });

  test('a file of another name than the path is refused', async () => {
    const answer = await refused(api.call('PUT', '/v1/agents/other', { body: plainAgent }), 400, 'invalid-agent');
    expect(answer.body['errors']).toEqual([{ path: 'name', message: 'must be other' }]);
  });

  test.each(['', '\0', '- 1', '"text"', '{"name": "a"', 'a: &a [*a]'])(
    'the body %j is 400 invalid-agent',
    async (text) => {
      await refused(put('a', text), 400, 'invalid-agent');
    },
  );
});
