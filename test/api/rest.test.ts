// The REST contract over HTTP: what is taken, and how everything else is refused.
import { Client } from 'pg';
import { problems } from '../../contracts/failures.js';
import { ApiCaller, type TestService, calls, done, scriptOf, sinkAgent, startTestService } from '../support/service.js';
import { type Sink, startSink } from '../support/sink.js';

let service: TestService;
let api: ApiCaller;
let sink: Sink;

beforeAll(async () => {
  [service, sink] = await Promise.all([startTestService(), startSink()]);
  api = ApiCaller.of(service);
  await service.model.putScript(scriptOf('plain', [done('hello')]));
  await api.putAgent(sinkAgent('plain', sink.url));
});
afterAll(async () => {
  await service?.stop();
  await sink?.close();
});

const isProblem = (code: keyof typeof problems) => ({
  status: problems[code].status,
  body: {
    type: expect.stringMatching(new RegExp(`/${code}$`)),
    title: problems[code].title,
    status: problems[code].status,
    detail: expect.any(String),
    requestId: expect.any(String),
  },
});

describe('starting a run', () => {
  test('ten clients with one Idempotency-Key start one run, and all get it', async () => {
    const headers = { 'idempotency-key': 'ten at once' };
    const body = { agent: 'plain', input: 'ten' };
    const answers = await Promise.all(Array.from({ length: 10 }, () => api.call('POST', '/v1/runs', body, headers)));
    expect(new Set(answers.map((a) => a.body['id'])).size).toBe(1);
    expect(answers.map((a) => a.status).toSorted((a, b) => a - b)).toEqual([...Array(9).fill(200), 201]);
    await api.ended(String(answers[0]?.body['id']));
    const other = await api.call('POST', '/v1/runs', { ...body, input: 'other' }, headers);
    expect(other).toMatchObject(isProblem('idempotency-conflict'));
  });

  test('metadata and filters find the run again; pages follow each other without gap or repeat', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 5; i++)
      ids.push((await api.startRun('plain', `page ${i}`, { metadata: { team: 'pages' } })).id);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const query: string = `metadata.team=pages&limit=2${cursor === null ? '' : `&cursor=${cursor}`}`;
      const page = await api.ok<{ data: { id: string }[]; nextCursor: string | null }>('GET', `/v1/runs?${query}`);
      seen.push(...page.data.map((r) => r.id));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual(ids.toReversed());
  });
});

describe('bad input', () => {
  const start = (body: unknown) => api.call('POST', '/v1/runs', body);

  test('an unknown agent is 404 and says where agents come from', async () => {
    const answer = await start({ agent: 'nobody', input: 'x' });
    expect(answer).toMatchObject(isProblem('unknown-agent'));
    expect(answer.body['detail']).toContain('PUT /v1/agents/nobody');
  });

  test('wrong types are 400 with one entry for every field', async () => {
    const answer = await start({ agent: 7, input: '', limits: { maxSteps: 'many' }, extra: true });
    expect(answer).toMatchObject(isProblem('invalid-request'));
    const paths = (answer.body['errors'] as { path: string }[]).map((e) => e.path);
    expect(paths).toEqual(expect.arrayContaining(['agent', 'limits.maxSteps']));
  });

  test('a body that is no JSON, one that is too large, and one of another type are told apart', async () => {
    const send = (body: string, type = 'application/json') =>
      fetch(`${service.apiUrl}/v1/runs`, {
        method: 'POST',
        headers: { authorization: `Bearer ${service.adminKey}`, 'content-type': type },
        body,
      }).then(async (r) => ({ status: r.status, body: (await r.json()) as Record<string, unknown> }));
    expect(await send('{"agent": ')).toMatchObject(isProblem('invalid-json'));
    expect(await send('hello', 'text/csv')).toMatchObject(isProblem('unsupported-media-type'));
    const large = await send(JSON.stringify({ agent: 'plain', input: 'x'.repeat(5 * 1024 * 1024) }));
    expect(large).toMatchObject(isProblem('body-too-large'));
    expect(large.body['detail']).toContain('4 MiB');
  });

  test('no key, a wrong key and a key without the role are told apart', async () => {
    expect(await new ApiCaller(service.apiUrl, 'lh_wrong').call('GET', '/v1/runs')).toMatchObject(
      isProblem('unauthenticated'),
    );
    const bare = await fetch(`${service.apiUrl}/v1/runs`);
    expect(bare.status).toBe(401);
    expect(bare.headers.get('www-authenticate')).toBe('Bearer');
    const made = await api.ok<{ key: string; id: string }>('POST', '/v1/keys', { name: 'reader', roles: ['viewer'] });
    const reader = new ApiCaller(service.apiUrl, made.key);
    expect(await reader.call('GET', '/v1/runs')).toMatchObject({ status: 200 });
    const refused = await reader.call('POST', '/v1/runs', { agent: 'plain', input: 'x' });
    expect(refused).toMatchObject(isProblem('forbidden'));
    expect(refused.body['detail']).toContain('operator');
    expect(await reader.call('GET', '/v1/keys')).toMatchObject(isProblem('forbidden'));
  });

  test('a cursor that no list gave out is refused', async () => {
    for (const cursor of ['x', Buffer.from('["now","run_1"]').toString('base64url')]) {
      expect(await api.call('GET', `/v1/runs?cursor=${cursor}`)).toMatchObject(isProblem('invalid-cursor'));
      expect(await api.call('GET', `/v1/approvals?cursor=${cursor}`)).toMatchObject(isProblem('invalid-cursor'));
    }
  });

  test('ids that do not exist are 404, whatever they look like', async () => {
    for (const id of ['run_0000000000', 'x', '%00', '%F0%9F%A4%96']) {
      expect(await api.call('GET', `/v1/runs/${id}`)).toMatchObject(isProblem('not-found'));
      expect(await api.call('GET', `/v1/approvals/${id}`)).toMatchObject(isProblem('not-found'));
    }
    expect(await api.call('GET', '/v1/nothing')).toMatchObject(isProblem('not-found'));
    expect(await api.call('PUT', '/v1/runs')).toMatchObject(isProblem('method-not-allowed'));
  });

  test('characters that PostgreSQL cannot store are refused or kept, and never a 500', async () => {
    const answers = [
      await start({ agent: 'plain', input: 'a\u0000b \ud800' }),
      await start({ agent: 'plain', input: 'x', metadata: { key: 'a\u0000b' } }),
      await api.call('GET', '/v1/runs?agent=%00'),
      await api.call('POST', '/v1/runs', { agent: 'plain', input: 'x' }, { 'idempotency-key': 'plain' }),
      await api.call('GET', '/v1/approvals?runId=%00'),
      await api.call('GET', '/v1/agents/a%00b'),
    ];
    for (const answer of answers) expect(answer.status).toBeLessThan(500);
  });
});

describe('agents', () => {
  const put = (text: string, name = 'filed') => api.call('PUT', `/v1/agents/${name}`, text);

  test('a file is stored as a version; the same file, or one with other comments, is none', async () => {
    const text = 'name: filed\nmodel: scripted/plain\ninstructions: Be brief.\n';
    const first = await put(text);
    expect(first.status).toBe(201);
    expect(await put(text)).toMatchObject({ status: 200, body: { version: first.body['version'] } });
    expect(await put(`# a comment\n${text}`)).toMatchObject({ status: 200, body: { version: first.body['version'] } });
    const second = await put(text.replace('brief', 'long'));
    expect(second).toMatchObject({ status: 201, body: { current: true } });
    const versions = await api.ok<{ data: { version: string; current: boolean }[] }>(
      'GET',
      '/v1/agents/filed/versions',
    );
    expect(versions.data.map((v) => v.current)).toEqual([true, false]);
    const old = await api.call('GET', `/v1/agents/filed@${String(first.body['version']).slice(0, 12)}`);
    expect(old).toMatchObject({ status: 200, body: { version: first.body['version'], current: false } });
  });

  test('a run stays on the version it was started with', async () => {
    const { body } = await put('name: pinned\nmodel: scripted/plain\ninstructions: one\n', 'pinned');
    const { id } = await api.startRun(`pinned@${String(body['version']).slice(0, 16)}`);
    await put('name: pinned\nmodel: scripted/plain\ninstructions: two\n', 'pinned');
    expect(await api.ended(id)).toMatchObject({ agentVersion: body['version'], status: 'completed' });
  });

  test('a broken file is refused with the line and the remedy', async () => {
    const broken = await put('name: filed\nmodel: scripted/plain\ninstrctions: x\n');
    expect(broken).toMatchObject(isProblem('invalid-agent'));
    expect(broken.body['errors']).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ line: 3, message: expect.stringContaining('did you mean instructions') }),
      ]),
    );
    const yaml = await put('name: filed\n  model: [\n');
    expect(yaml.body['errors']).toEqual(
      expect.arrayContaining([expect.objectContaining({ line: expect.any(Number) })]),
    );
    const tool = await put('name: filed\nmodel: scripted/plain\ninstructions: x\ntools: [no_such_tool]\n');
    expect(tool.body['detail']).toContain('no_such_tool');
    expect(await put('name: other\nmodel: scripted/plain\ninstructions: x\n')).toMatchObject(
      isProblem('invalid-agent'),
    );
  });

  test('a condition over an argument that the tool does not have is refused when the agent is stored', async () => {
    const answer = await api.call('PUT', '/v1/agents/typo', {
      ...sinkAgent('typo', sink.url),
      approve: [{ tool: 'charge', when: 'arguments.waht == "x"' }],
    });
    expect(answer).toMatchObject(isProblem('invalid-agent'));
    expect(answer.body['detail']).toContain('did you mean what?');
  });

  test('the tools that workers offer are listed with effect and hash', async () => {
    const { data } = await api.ok<{ data: { name: string; available: boolean; hash: string }[] }>('GET', '/v1/tools');
    expect(data.map((t) => t.name)).toEqual(expect.arrayContaining(['ask_person', 'sleep_until', 'workspace_read']));
    expect(data.every((t) => t.available && /^[0-9a-f]{64}$/.test(t.hash))).toBe(true);
  });
});

describe('reading', () => {
  test('a step shows what the model was shown, decided, called and got back; its request is rebuilt byte for byte', async () => {
    await service.model.putScript(scriptOf('stepped', [calls(['look', { what: 's' }]), done('seen')]));
    await api.putAgent(sinkAgent('stepped', sink.url));
    const { id } = await api.startRun('stepped', 'see');
    await api.ended(id);
    const step = await api.ok('GET', `/v1/runs/${id}/steps/1`);
    expect(step).toMatchObject({
      stopReason: 'tool_use',
      toolCalls: [{ tool: 'look', arguments: { what: 's' }, outcome: 'succeeded', verdict: 'execute' }],
    });
    const sent = (await service.model.journal('stepped')).map((e) => e.request as Record<string, unknown>);
    for (const n of [1, 2]) {
      const rebuilt = await api.call('GET', `/v1/runs/${id}/steps/${n}/request`);
      expect(rebuilt.headers.get('content-digest')).toMatch(/^sha-256=:/);
      expect({ ...rebuilt.body, stream: true }).toEqual(sent[n - 1]);
    }
    expect(await api.call('GET', `/v1/runs/${id}/steps/9`)).toMatchObject(isProblem('not-found'));
  });

  test('erasing a run deletes its content and keeps its events', async () => {
    const { id } = await api.startRun('plain', 'personal data');
    await api.ended(id);
    const before = await api.events(id);
    expect((await api.call('DELETE', `/v1/runs/${id}`)).status).toBe(204);
    expect((await api.call('DELETE', `/v1/runs/${id}`)).status).toBe(204);
    const after = await api.events(id);
    expect(after.slice(0, before.length)).toEqual(before);
    expect(after.at(-1)?.type).toBe('run.erased');
    expect((await api.run(id)).output).toBeUndefined();
    expect(await api.call('GET', `/v1/runs/${id}/steps/1/request`)).toMatchObject(isProblem('content-erased'));
    const db = new Client({ connectionString: service.databaseUrl });
    await db.connect();
    const { rows } = await db.query('SELECT 1 FROM contents WHERE agent_run_id = $1', [id]);
    await db.end();
    expect(rows).toEqual([]);
  });

  test('the description has every route, and health says what is there', async () => {
    const description = await api.ok<{ openapi: string; paths: Record<string, unknown> }>('GET', '/openapi.json');
    expect(description.openapi).toBe('3.1.0');
    expect(Object.keys(description.paths)).toEqual(
      expect.arrayContaining([
        '/v1/runs',
        '/v1/runs/{id}/stream',
        '/v1/approvals/{id}/decision',
        '/v1/agents/{name}',
        '/v1/tools',
        '/readyz',
      ]),
    );
    expect((await api.call('GET', '/docs/')).status).toBe(200);
    expect(await api.call('GET', '/readyz')).toMatchObject({
      status: 200,
      body: { status: 'ready', missing: [], workers: 1 },
    });
  });

  test('a person other than the one who started the run must decide when the agent says so', async () => {
    await service.model.putScript(scriptOf('separated', [calls(['charge', { what: 'x' }]), done()]));
    await api.putAgent(
      sinkAgent('separated', sink.url, { approve: [{ tool: 'charge' }], approvals: { separationOfDuty: true } }),
    );
    const { id } = await api.startRun('separated');
    const approval = await api.firstApproval(id);
    const own = await api.call('POST', `/v1/approvals/${approval.id}/decision`, {
      decision: 'approve',
      argumentsDigest: approval.argumentsDigest,
    });
    expect(own).toMatchObject(isProblem('separation-of-duty'));
    const other = await api.ok<{ key: string }>('POST', '/v1/keys', { name: 'second', roles: ['approver'] });
    await new ApiCaller(service.apiUrl, other.key).decide(approval, 'approve');
    expect(await api.ended(id)).toMatchObject({ status: 'completed' });
  });
});
