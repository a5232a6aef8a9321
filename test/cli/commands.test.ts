// The other commands: what they send, what they show, how they fail.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type FakeService, aRun, aStep, aToolCall, fakeService, problem, type } from './support.js';

let service: FakeService;
afterEach(() => service.close());
const longhaul = (words: string[], terminal = {}) => type([...words, '--url', service.url], terminal);

describe('run', () => {
  beforeEach(async () => {
    service = await fakeService({ 'POST /v1/runs': { status: 201, body: aRun({ status: 'queued' }) } });
  });

  test('detached prints the id and nothing else', async () => {
    expect(await longhaul(['run', 'refund-desk', 'Settle', 'the letters.', '--detach'])).toMatchObject({
      code: 0,
      out: 'run_1\n',
      err: '',
    });
    expect(service.sent('POST /v1/runs')[0]?.body).toEqual({ agent: 'refund-desk', input: 'Settle the letters.' });
  });

  test('options become the fields of the request', async () => {
    await longhaul(
      'run desk@abcdef01 go --detach --metadata team=a --metadata ref=x=y --limit maxSteps=5 --limit maxCostUsd=2 --limit deadline=2h --idempotency-key k1 --start-at 2026-12-01T08:00:00Z'.split(
        ' ',
      ),
    );
    const [request] = service.sent('POST /v1/runs');
    expect(request?.body).toEqual({
      agent: 'desk@abcdef01',
      input: 'go',
      metadata: { team: 'a', ref: 'x=y' },
      limits: { maxSteps: 5, maxCostUsd: '2', deadline: '2h' },
      startAt: '2026-12-01T08:00:00Z',
    });
    expect(request?.headers).toMatchObject({ 'idempotency-key': 'k1', authorization: 'Bearer a key' });
  });

  test('the input is read from standard input when --input-file is -', async () => {
    await longhaul(['run', 'desk', '--input-file', '-', '--detach'], { stdin: 'a long\ntask' });
    expect(service.sent('POST /v1/runs')[0]?.body).toMatchObject({ input: 'a long\ntask' });
  });

  test.each([
    [['run', 'desk'], 'What is the agent to do?'],
    [['run', 'desk', 'x', '--input-file', '-'], 'not both'],
    [['run', 'desk', '--input-file', '/no/such/file'], '/no/such/file cannot be read'],
    [['run', 'desk', 'x', '--limit', 'maxStep=5'], 'The limits are maxSteps'],
    [['run', 'desk', 'x', '--limit', 'maxSteps'], 'NAME=VALUE'],
    [['run', 'desk', 'x', '--metadata', '=v'], 'NAME=VALUE'],
    [['run'], "missing required argument 'agent'"],
    [['walk'], "unknown command 'walk'"],
  ])('%j is refused with what is wrong, and nothing is sent', async (words, said) => {
    const { code, out, err } = await longhaul(words);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain(said);
    expect(service.seen).toEqual([]);
  });
});

describe('list', () => {
  const rows = Array.from({ length: 450 }, (_, i) =>
    aRun({ id: `run_01M84KSMPP5K1M30CKDBBSN${String(i).padStart(3, '0')}` }),
  );
  beforeEach(async () => {
    service = await fakeService({
      'GET /v1/runs': ({ query }, response) => {
        const from = Number(query['cursor'] ?? 0);
        const to = from + Number(query['limit']);
        const nextCursor = to < rows.length ? String(to) : null;
        response.end(JSON.stringify({ data: rows.slice(from, to), nextCursor }));
      },
    });
  });

  test('shows twenty and says that there are more', async () => {
    const { out, err } = await longhaul(['list']);
    expect(out.trimEnd().split('\n')).toHaveLength(21);
    expect(err).toContain('There are more');
  });

  test('--all goes through every page', async () => {
    const { json } = await longhaul(['list', '--all', '--json']);
    expect(json().map((run) => run['id'])).toEqual(rows.map((run) => run.id));
  });

  test('filters are passed on', async () => {
    await longhaul(['list', '--status', 'waiting', '--agent', 'desk', '--metadata', 'team=a']);
    expect(service.seen[0]?.query).toEqual({ status: 'waiting', agent: 'desk', 'metadata.team': 'a', limit: '20' });
  });

  test.each([80, 120])('no line is wider than a terminal of %p columns', async (columns) => {
    const { out } = await longhaul(['list'], { isTerminal: true, columns, env: { NO_COLOR: '1' } });
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(columns);
  });
});

describe('colours', () => {
  beforeEach(async () => {
    service = await fakeService({ 'GET /v1/runs/run_1': { body: aRun() } });
  });

  test.each([
    ['on a terminal', { isTerminal: true }, [], true],
    ['in a pipe', {}, [], false],
    ['with NO_COLOR', { isTerminal: true, env: { NO_COLOR: '1' } }, [], false],
    ['with --no-color', { isTerminal: true }, ['--no-color'], false],
    ['with --json', { isTerminal: true }, ['--json'], false],
  ])('%s', async (_, terminal, words, coloured) => {
    const { out } = await longhaul(['show', 'run_1', ...words], terminal);
    expect(out.includes('\u001b[')).toBe(coloured);
    expect(out).toContain('completed');
  });
});

test('steps are a table of model calls with their tool calls below', async () => {
  service = await fakeService({
    'GET /v1/runs/run_1/steps': {
      body: { data: [aStep(1, { toolCalls: [aToolCall({ attempts: 2 })] })], nextAfter: null },
    },
  });
  const { out } = await longhaul(['steps', 'run_1']);
  expect(out).toMatch(/^ +1 {2}model claude-sonnet-5-5 .* tool_use .* 23 +\$0\.0012$/m);
  expect(out).toMatch(/refund\(orderId="RD-1042", amountUsd=18\.5\) +succeeded +2 +0\.3 s/);
});

describe('agents put', () => {
  const file = 'name: desk\nmodel: m\ntols: []\n';
  const stored = {
    name: 'desk',
    version: 'abcdef0123456789',
    current: true,
    createdAt: '2026-11-23T12:00:00.000Z',
    definition: { model: 'm' },
  };
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'agents-'));
    writeFileSync(path.join(folder, 'desk.yaml'), file);
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const put = () => longhaul(['agents', 'put', path.join(folder, 'desk.yaml')]);

  test.each([
    [201, 'stored and current'],
    [200, 'unchanged'],
  ])('sends the text as it is; %p is told as "%s"', async (status, said) => {
    service = await fakeService({ 'PUT /v1/agents/desk': { status, body: stored } });
    expect((await put()).out).toBe(`desk@abcdef012345  ${said}\n`);
    expect(service.seen[0]).toMatchObject({ body: file, headers: { 'content-type': 'application/yaml' } });
  });

  test('errors come with their lines', async () => {
    const errors = [{ path: 'tols', line: 3, column: 1, message: 'unknown field tols; did you mean tools?' }];
    const body = problem('invalid-agent', 400, 'The agent file does not validate', { errors });
    service = await fakeService({ 'PUT /v1/agents/desk': { status: 400, body } });
    const { code, err } = await put();
    expect(code).toBe(1);
    expect(err).toContain('  line 3:1  tols: unknown field tols; did you mean tools?\n');
  });
});

test.each([
  [['pause', 'run_1'], 'POST /v1/runs/run_1/pause', undefined],
  [['resume', 'run_1', '--limit', 'maxSteps=200'], 'POST /v1/runs/run_1/resume', { limits: { maxSteps: 200 } }],
  [['cancel', 'run_1', '--reason', 'wrong folder'], 'POST /v1/runs/run_1/cancel', { reason: 'wrong folder' }],
])('%j is %s', async (words, route, body) => {
  service = await fakeService({ [route]: { status: 202, body: aRun({ status: 'running' }) } });
  expect((await longhaul(words)).code).toBe(0);
  expect(service.sent(route).map((request) => request.body)).toEqual([body]);
});

test('a new key is all that standard output has', async () => {
  const made = { id: 'key_1', name: 'ci', roles: ['viewer'], createdAt: '2026-11-23T12:00:00.000Z', key: 'lh_secret' };
  service = await fakeService({ 'POST /v1/keys': { status: 201, body: made } });
  expect(await longhaul(['keys', 'create', 'ci', '--role', 'viewer'])).toMatchObject({ code: 0, out: 'lh_secret\n' });
});

test('an id is one part of a path, whatever it contains', async () => {
  service = await fakeService({});
  await longhaul(['show', '../keys?x=1']);
  expect(service.seen.map((s) => s.path)).toEqual(['/v1/runs/..%2Fkeys%3Fx%3D1']);
});

test('housekeeping shows each sweep, what it found last, and why one failed', async () => {
  const now = new Date().toISOString();
  const sweeps = [
    { name: 'dead-workers', what: 'removes rows', everySeconds: 600, lastRunAt: now, tookMs: 3 },
    {
      name: 'terminated-workflows',
      what: 'stops runs',
      everySeconds: 10,
      lastRunAt: now,
      tookMs: 9,
      lastFound: { at: now, count: 1, findings: ['run_1 was waiting'] },
    },
    { name: 'orphaned-workspaces', host: 'box', what: 'removes folders', everySeconds: 300, error: 'EACCES' },
  ];
  service = await fakeService({ 'GET /v1/housekeeping': { body: { data: sweeps } } });
  const { code, out } = await longhaul(['housekeeping']);
  expect(code).toBe(0);
  for (const said of ['dead-workers', 'nothing', 'run_1 was waiting', 'not yet', 'box', 'EACCES', 'failed']) {
    expect(out).toContain(said);
  }
  const json = await longhaul(['housekeeping', '--json']);
  expect(
    json.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual(sweeps);
});
