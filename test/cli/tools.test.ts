// Commands about tools that are not Longhaul's own: results of client tools, consent to MCP definitions, undo.
import { type FakeService, fakeService, problem, type } from './support.js';

let service: FakeService;
afterEach(() => service.close());
const longhaul = (words: string[], terminal = {}) => type([...words, '--url', service.url], terminal);

describe('return', () => {
  const call = {
    toolCallId: 'toolu_1',
    runId: 'run_1',
    step: 1,
    tool: 'press',
    effect: 'irreversible',
    arguments: { item: 'red' },
    argumentsDigest: 'd',
    idempotencyKey: 'run_1:toolu_1',
    requestedAt: '2026-11-23T10:00:00.000Z',
    expiresAt: '2026-11-23T11:00:00.000Z',
  };
  beforeEach(async () => {
    service = await fakeService({
      'GET /v1/runs/run_1/client-calls': { body: { data: [call] } },
      'GET /v1/runs/run_2/client-calls': { body: { data: [] } },
      'POST /v1/runs/run_1/tool-results': { body: { toolCallId: 'toolu_1', outcome: 'succeeded' } },
    });
  });

  test('without a call lists those that wait', async () => {
    expect((await longhaul(['return', 'run_1'])).out).toMatch(/^toolu_1 {2}press\(.*red.*\) {2}until /);
    expect((await longhaul(['return', 'run_2'])).out).toBe('No call of this run waits for you.\n');
    expect(JSON.parse((await longhaul(['return', 'run_1', '--json'])).out)).toEqual(call);
  });

  test.each([
    [['--text', 'done'], { content: 'done', isError: false }],
    [['--result', '{"stock": 4}'], { content: { stock: 4 }, isError: false }],
    [['--error', 'stuck'], { content: 'stuck', isError: true }],
  ])('%j is sent as the result', async (options, sent) => {
    expect((await longhaul(['return', 'run_1', 'toolu_1', ...options])).code).toBe(0);
    expect(service.sent('POST /v1/runs/run_1/tool-results')[0]?.body).toEqual({ toolCallId: 'toolu_1', ...sent });
  });

  test.each([[[]], [['--text', 'a', '--error', 'b']], [['--result', 'not json']]])(
    '%j is refused, and nothing is sent',
    async (options) => {
      expect((await longhaul(['return', 'run_1', 'toolu_1', ...options])).code).toBe(1);
      expect(service.sent('POST /v1/runs/run_1/tool-results')).toEqual([]);
    },
  );
});

describe('mcp', () => {
  const tool = (hash: string, status: string, description: string) => ({
    server: 'tickets',
    tool: 'create',
    name: 'tickets_create',
    hash: hash.repeat(64),
    status,
    why: status === 'held' ? 'its definition has changed' : 'the server was first asked',
    definition: { name: 'create', description, inputSchema: { type: 'object' } },
    seenAt: '2026-11-23T10:00:00.000Z',
  });
  const held = tool('b', 'held', 'Create and forward.');
  beforeEach(async () => {
    service = await fakeService({
      'GET /v1/agents/desk/mcp-tools': { body: { data: [held, tool('a', 'agreed', 'Create.')] } },
      'POST /v1/agents/desk/mcp-tools/agree': { body: { ...held, status: 'agreed' } },
    });
  });

  test('lists what is agreed to and what is held, with why', async () => {
    const { out } = await longhaul(['mcp', 'desk']);
    expect(out).toMatch(/tickets_create +held +bbbbbbbbbbbb +its definition has changed/);
    expect(out).toMatch(/tickets_create +agreed +aaaaaaaaaaaa/);
  });

  test('shows what it was and what it is, and agrees to exactly what was shown', async () => {
    const { code, out } = await longhaul(['mcp', 'desk', '--agree', 'tickets_create', '--yes']);
    expect(code).toBe(0);
    expect(out).toMatch(/"Create\."[^]*its definition has changed[^]*"Create and forward\."/);
    const body = { server: 'tickets', tool: 'create', hash: held.hash };
    expect(service.sent('POST /v1/agents/desk/mcp-tools/agree')[0]?.body).toEqual(body);
  });

  test('agrees to nothing when nobody can be asked, or there is no such tool', async () => {
    expect((await longhaul(['mcp', 'desk', '--agree', 'tickets_create'])).code).toBe(1);
    const { err } = await longhaul(['mcp', 'desk', '--agree', 'tickets_purge', '--yes']);
    expect(err).toContain('No server of desk has offered tickets_purge');
    expect(service.sent('POST /v1/agents/desk/mcp-tools/agree')).toEqual([]);
  });
});

describe('undo', () => {
  const step = { toolCallId: 'toolu_2', step: 2, tool: 'book', effect: 'idempotent', arguments: { item: 'x' } };
  const plan = { digest: 'p'.repeat(64), steps: [step], cannot: [{ ...step, tool: 'mail', why: 'no way' }] };
  const last = (outcome: string) => ({
    number: 1,
    status: 'finished',
    approvedBy: { kind: 'key', id: 'k' },
    approvedAt: '2026-11-23T10:00:00.000Z',
    calls: [
      {
        toolCallId: 'toolu_2',
        tool: 'book',
        attempts: 1,
        outcome,
        ...(outcome === 'failed' ? { why: 'too late' } : {}),
      },
    ],
  });

  test('shows the plan and approves exactly that; a call that failed is exit code 1', async () => {
    service = await fakeService({
      'GET /v1/runs/run_1/undo': { body: { runId: 'run_1', plan } },
      'POST /v1/runs/run_1/undo': { status: 202, body: { runId: 'run_1', plan, last: last('failed') } },
    });
    const { code, out } = await longhaul(['undo', 'run_1', '--yes']);
    expect(code).toBe(1);
    expect(out).toMatch(/1\. take back {2}book[^]*cannot {5}mail[^]*no way[^]*failed {2}book {2}toolu_2: too late/);
    expect(service.sent('POST /v1/runs/run_1/undo')[0]?.body).toEqual({ planDigest: plan.digest });
  });

  test('takes nothing back with --plan, without a yes, or when the service says no', async () => {
    service = await fakeService({
      'GET /v1/runs/run_1/undo': { body: { runId: 'run_1', plan } },
      'POST /v1/runs/run_1/undo': { status: 409, body: problem('digest-mismatch', 409, 'The plan is another one') },
    });
    expect((await longhaul(['undo', 'run_1', '--plan'])).code).toBe(0);
    expect((await longhaul(['undo', 'run_1'])).code).toBe(1);
    expect(service.sent('POST /v1/runs/run_1/undo')).toEqual([]);
    const { code, err } = await longhaul(['undo', 'run_1', '--yes']);
    expect([code, err]).toEqual([1, expect.stringContaining('The plan is another one')]);
  });
});
