// 200 secrets that the service knows, in every spelling, given to it by tools, a model and people: nowhere to be seen.
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { Pool } from 'pg';
import { ApiCaller, type TestService, done, historyOf, scriptOf, startTestService } from '../support/service.js';
import { spellings, strip } from '../support/spellings.js';

const made = (i: number): string =>
  createHash('sha256')
    .update(`planted ${i}`)
    .digest('base64url')
    .slice(0, 20 + (i % 20));
const values = Array.from({ length: 200 }, (_, i) => made(i));
const names = values.map((_, i) => `PLANTED_${i}_${i % 2 === 0 ? 'TOKEN' : 'SECRET'}`);
const spelt = values.flatMap((value, i) => spellings(value).map(([how, text]) => ({ name: names[i], how, text })));
/** Every secret once, each in another spelling. */
const aSample = values.map((value, i) => spellings(value)[i % spellings(value).length]?.[1]).join('\n---\n');

let service: TestService;
let api: ApiCaller;

beforeAll(async () => {
  const file = path.join(process.env['LONGHAUL_TEST_DIR'] as string, 'planted.txt');
  writeFileSync(file, spelt.map(({ text }) => text).join('\n---\n'));
  service = await startTestService({
    env: {
      LONGHAUL_TOOLS: path.join(__dirname, '..', 'support', 'leakyTools.ts'),
      LEAKY_FILE: file,
      LOG_LEVEL: 'debug',
      ODDLY_NAMED: 'marzipan-7719-otter',
      ...Object.fromEntries(names.map((name, i) => [name, values[i] as string])),
    },
  });
  api = ApiCaller.of(service);
});
afterAll(() => service?.stop());

const agent = (name: string, more: object = {}) => ({
  name,
  model: `scripted/${name}`,
  instructions: 'You are a test.',
  tools: ['tell', 'trip', 'take', 'ask_person'],
  limits: { maxToolCalls: 1000 },
  ...more,
});

/** What of the planted can be read in a text, beginnings and ends of spellings apart. */
function seenIn(where: string, text: string): string[] {
  const stripped = strip(text);
  return spelt.flatMap(({ name, how, text: given }) =>
    stripped.includes(strip(given).slice(4, -4)) ? [`${where}: ${name} ${how}`] : [],
  );
}

async function databaseText(): Promise<string> {
  const pool = new Pool({ connectionString: service.databaseUrl });
  try {
    const { rows: tables } = await pool.query<{ name: string }>(
      `SELECT table_name name FROM information_schema.tables WHERE table_schema = 'public' AND table_name <> 'contents'`,
    );
    const texts: string[] = [];
    for (const { name } of tables) {
      const { rows } = await pool.query<{ row: string }>(`SELECT t::text AS row FROM "${name}" t`);
      texts.push(...rows.map(({ row }) => row));
    }
    const { rows } = await pool.query<{ bytes: Buffer; deflated: boolean }>('SELECT bytes, deflated FROM contents');
    expect(rows.length).toBeGreaterThan(5);
    texts.push(...rows.map(({ bytes, deflated }) => (deflated ? inflateRawSync(bytes) : bytes).toString('utf8')));
    return texts.join('\n');
  } finally {
    await pool.end();
  }
}

/** Histories with their payloads read. */
async function historyText(runId: string): Promise<string> {
  const payloads: string[] = [];
  const text = JSON.stringify(await historyOf(service, runId), (_key, value: unknown) => {
    const bytes =
      value instanceof Uint8Array
        ? value
        : (value as { type?: string; data?: number[] } | null)?.type === 'Buffer'
          ? (value as { data: number[] }).data
          : undefined;
    if (bytes) payloads.push(Buffer.from(bytes).toString('utf8'));
    return value;
  });
  return `${text}\n${payloads.join('\n')}`;
}

async function streamText(runId: string): Promise<string> {
  const response = await fetch(`${service.apiUrl}/v1/runs/${runId}/stream?deltas=true`, {
    headers: { authorization: `Bearer ${service.adminKey}` },
  });
  // Deltas are pieces of one text: put together, as whoever reads along would.
  const frames = (await response.text())
    .split('\n')
    .flatMap((line) => (line.startsWith('data: ') ? [line.slice(6)] : []));
  const pieces = frames.flatMap((frame) => {
    const { text } = JSON.parse(frame) as { text?: unknown };
    return typeof text === 'string' ? [text] : [];
  });
  expect(pieces.length).toBeGreaterThan(0);
  return `${frames.join('\n')}\n${pieces.join('')}`;
}

async function answersText(runId: string): Promise<string> {
  const { steps } = await api.run(runId);
  const of = (at: string) => api.call('GET', `/v1/runs/${runId}${at}`).then(({ body }) => JSON.stringify(body));
  const requests = Array.from({ length: steps }, (_, i) => of(`/steps/${i + 1}/request`));
  return (await Promise.all([of(''), of('/events?limit=1000'), of('/steps'), ...requests])).join('\n');
}

test('200 planted secrets in every spelling are seen at no sink: database, log, history, prompt, stream, answers, other runs', async () => {
  await service.model.putScript(
    scriptOf('leaky', [
      {
        reply: [
          { tool: 'tell', input: {} },
          { tool: 'trip', input: {} },
        ],
      },
      // It takes them from anywhere but from its prompt: those calls are tested below.
      { reply: [{ text: `I have found: ${aSample}` }, { tool: 'tell', input: {} }], chunkChars: 11 },
      { reply: [{ text: `Finally: ${aSample}` }], chunkChars: 11 },
    ]),
  );
  await api.putAgent(agent('leaky'));
  const { id } = await api.startRun('leaky', `Look: ${aSample}`, { metadata: { note: values[3] as string } });
  const stream = streamText(id);
  await api
    .ok('POST', `/v1/runs/${id}/messages`, { content: `And this: ${values[5]} ${aSample}` })
    .catch(() => undefined);
  const ended = await api.ended(id);
  expect(ended).toMatchObject({ status: 'completed', steps: 3, usage: { toolCalls: 3 } });

  await service.model.putScript(scriptOf('other', [done('nothing to tell')]));
  await api.putAgent(agent('other'));
  const other = await api.startRun('other', 'what do you see?');
  await api.ended(other.id);

  const prompts = (await service.model.journal()).map(({ request }) => JSON.stringify(request));
  expect(prompts.length).toBeGreaterThanOrEqual(4);
  const seen = [
    ...seenIn('database', await databaseText()),
    ...seenIn('log', service.log.join('\n')),
    ...seenIn('history', await historyText(id)),
    ...seenIn('prompt', prompts.join('\n')),
    ...seenIn('stream', await stream),
    ...seenIn('answers', await answersText(id)),
    ...seenIn('other run', await answersText(other.id)),
  ];
  expect(seen).toEqual([]);
  // They were there to be seen, and were recognised.
  expect(service.log.join('\n')).toContain('[redacted:PLANTED_0_TOKEN]');
  const events = await api.events(id);
  const returned = events.find((e) => e.type === 'tool.returned');
  expect(new Set(returned?.data['redacted'] as string[])).toEqual(new Set(names));
  const replied = events.filter((e) => e.type === 'model.replied').at(-1);
  expect(new Set(replied?.data['redacted'] as string[])).toEqual(new Set(names));
});

test('a call whose arguments hold a secret in any spelling is refused, by a rule that the log names, and nothing is sent', async () => {
  const all = spellings(values[7] as string);
  await service.model.putScript(
    scriptOf('sender', [
      { reply: all.map(([, text]) => ({ tool: 'take', input: { text } })) },
      {
        expect: { toolResult: { tool: 'take', contains: 'held the secret PLANTED_7_SECRET', isError: true } },
        reply: [{ text: 'ok' }],
      },
    ]),
  );
  await api.putAgent(agent('sender'));
  const { id } = await api.startRun('sender');
  expect(await api.ended(id)).toMatchObject({ status: 'completed', usage: { toolCalls: 0 } });
  const events = await api.events(id);
  const decided = events.filter((e) => e.type === 'tool.decided');
  expect(decided).toHaveLength(all.length);
  expect(decided.map((e) => [e.data['verdict'], e.data['rule']])).toEqual(all.map(() => ['reject', 'egress:secret']));
  expect(events.some((e) => e.type === 'tool.started')).toBe(false);
  expect(seenIn('database', await databaseText())).toEqual([]);
});

test('a secret in two halves, in two calls of one reply, is refused in both', async () => {
  const secret = values[9] as string;
  const halves = [secret.slice(0, 12), secret.slice(12)];
  await service.model.putScript(
    scriptOf('halves', [
      {
        reply: [
          { tool: 'take', input: { text: halves[0] } },
          { tool: 'take', input: { text: halves[1] } },
        ],
      },
      done(),
    ]),
  );
  await api.putAgent(agent('halves'));
  const { id } = await api.startRun('halves');
  await api.ended(id);
  const decided = (await api.events(id)).filter((e) => e.type === 'tool.decided');
  expect(decided.map((e) => e.data['rule'])).toEqual(['egress:secret', 'egress:secret']);
});

test("a call that holds a canary of the run's agent is refused as one", async () => {
  await service.model.putScript(
    scriptOf('canary', [
      { reply: [{ tool: 'take', input: { text: Buffer.from('see marzipan-7719-otter').toString('base64') } }] },
      done('I saw marzipan-7719-otter there'),
    ]),
  );
  await api.putAgent(agent('canary', { canaries: ['ODDLY_NAMED'] }));
  const { id } = await api.startRun('canary');
  expect(await api.ended(id)).toMatchObject({ output: { text: 'I saw [redacted:ODDLY_NAMED] there' } });
  const events = await api.events(id);
  expect(events.find((e) => e.type === 'tool.decided')?.data).toMatchObject({
    verdict: 'reject',
    rule: 'egress:canary',
    reason: expect.stringContaining('the canary ODDLY_NAMED'),
  });
  expect(events.filter((e) => e.type === 'model.replied').at(-1)?.data['redacted']).toEqual(['ODDLY_NAMED']);
});

test('an agent file or a decision that holds a secret is refused with its name; nothing is stored', async () => {
  const put = await api.call('PUT', '/v1/agents/careless', agent('careless', { instructions: `Use ${values[1]}.` }));
  expect(put).toMatchObject({ status: 400, body: { detail: expect.stringContaining('PLANTED_1_SECRET') } });
  expect((await api.call('GET', '/v1/agents/careless')).status).toBe(404);

  await service.model.putScript(
    scriptOf('asks', [{ reply: [{ tool: 'ask_person', input: { question: 'Which?' } }] }, done()]),
  );
  await api.putAgent(agent('asks'));
  const { id } = await api.startRun('asks');
  const question = await api.firstApproval(id);
  const body = { decision: 'respond', argumentsDigest: question.argumentsDigest, message: `it is ${values[2]}` };
  expect((await api.call('POST', `/v1/approvals/${question.id}/decision`, body)).status).toBe(400);
  await api.decide(question, 'respond', { message: 'none' });
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
});

test('a key of our own API is known by its form', async () => {
  const { key } = await api.ok<{ key: string }>('POST', '/v1/keys', { name: 'temporary', roles: ['viewer'] });
  await service.model.putScript(scriptOf('keys', [done(`Use ${key} then.`)]));
  await api.putAgent(agent('keys'));
  const { id } = await api.startRun('keys', `My key is ${key}.`);
  expect(await api.ended(id)).toMatchObject({ output: { text: 'Use [redacted:LONGHAUL_API_KEY] then.' } });
  expect(await databaseText()).not.toContain(key);
});

test('what a signal brings is cleaned before it is stored', async () => {
  await service.model.putScript(
    scriptOf('signalled', [{ reply: [{ tool: 'take', input: { text: 'hello' } }] }, done()]),
  );
  await api.putAgent(agent('signalled', { approve: [{ tool: 'take' }] }));
  const { id } = await api.startRun('signalled');
  const question = await api.firstApproval(id);
  const handle = service.temporal.workflow.getHandle(`agent-run-${id}`);
  await handle.signal('message', { content: `take ${values[11]}` });
  await handle.signal('reject', { approvalId: question.id, message: `no, ${values[11]}` });
  await api.ended(id);
  expect(await answersText(id)).toContain('They said: no, [redacted:PLANTED_11_SECRET]');
  expect(await databaseText()).not.toContain(values[11]);
});

/** Where an API process said that it listens. */
function urlOf(pid: number): string {
  const said = service.log.find((line) => line.includes('"msg":"ready"') && line.includes(`"pid":${pid},`));
  return (JSON.parse(said?.slice(said.indexOf('{')) ?? '{}') as { url: string }).url;
}

test('what came in over an API that does not know the secrets of workers is cleaned before a model sees it', async () => {
  const unknowing = await service.startApi({
    LONGHAUL_PORT: '0',
    ...Object.fromEntries(names.map((name) => [name, ''])),
  });
  const elsewhere = new ApiCaller(urlOf(unknowing.pid), service.adminKey);
  await service.model.putScript(
    scriptOf('unknowing', [{ reply: [{ tool: 'ask_person', input: { question: 'Which?' } }] }, done()]),
  );
  await api.putAgent(agent('unknowing'));
  const { id } = await elsewhere.startRun('unknowing', `Use ${values[13]}.`);
  await elsewhere.decide(await api.firstApproval(id), 'respond', { message: `or ${values[15]}` });
  expect(await api.ended(id)).toMatchObject({ status: 'completed' });
  const prompts = (await service.model.journal('unknowing')).map(({ request }) => JSON.stringify(request));
  expect(prompts[0]).toContain('Use [redacted:PLANTED_13_SECRET].');
  expect(prompts[1]).toContain('or [redacted:PLANTED_15_SECRET]');
  expect(await databaseText()).not.toContain(values[13]);
  const [first] = (await api.events(id)).filter((e) => e.type === 'model.requested');
  expect(first?.data['redacted']).toEqual(['PLANTED_13_SECRET']);
  // The request is rebuilt as it was sent.
  expect(await answersText(id)).toContain('Use [redacted:PLANTED_13_SECRET].');
  await unknowing.stop();
});
