// The audit of a tenant: what was changed, dropped, reordered or cut short is found, and the first bad event is named.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { checkpoints } from '../../housekeeping/checkpoints.js';
import { signHeads } from '../../api/signHeads.js';
import { keepAnchor, keepAuditKey } from '../../api/auditFiles.js';
import type { AuditEffect, AuditReport } from '../../contracts/audit.js';
import { type EventType, GENESIS_HASH, type NewEvent, systemActor } from '../../contracts/events.js';
import { appendEvents } from '../../db/events.js';
import { withTransaction } from '../../db/pool.js';
import { lockRun } from '../../db/runs.js';
import { AuditFileCheck } from '../../harness/log/auditFile.js';
import { type AuditKey, auditKeyOf, newAuditSecret } from '../../harness/log/auditKey.js';
import { type as typeWords } from '../cli/support.js';
import { type TestApi, aForeignKey, startTestApi } from './support.js';

let api: TestApi;
let runs: string[];

beforeAll(async () => {
  api = await startTestApi();
  runs = [];
  for (let i = 0; i < 3; i++) runs.push(await aRunThatActed(`call_${i}`));
  await signHeads({ ...api.deps, pool: api.deps.wholePool }, 'default', { all: true });
  await api.end(runs[0] as string, 'completed');
  await api.append(runs[1] as string, 'run.paused', 'run.resumed');
  await signHeads({ ...api.deps, pool: api.deps.wholePool }, 'default', { all: true });
});
afterAll(() => api.stop());

const by = { kind: 'key', id: 'key_approver' } as const;

/** Asked, approved, executed, as a worker writes it. */
async function aRunThatActed(toolCallId: string): Promise<string> {
  const { id } = await api.aRun();
  const act = { tool: 'refund', effect: 'irreversible', rule: 'approve[0]', argumentsDigest: 'd'.repeat(64) };
  const event = (type: NewEvent['type'], data: object): NewEvent => ({
    type,
    actor: systemActor('wrk_1'),
    step: 1,
    toolCallId,
    data: { ...data },
  });
  await withTransaction(api.deps.wholePool, async (tx) => {
    await appendEvents(tx, await lockRun(tx, id), [
      event('tool.decided', { ...act, verdict: 'ask', reason: 'asks' }),
      event('tool.started', { ...act, attempt: 1, approvalId: 'apr_1', approvedBy: by }),
      event('tool.returned', { tool: 'refund', outcome: 'succeeded', resultHash: 'e'.repeat(64) }),
    ]);
  });
  return id;
}

const verify = async (query = ''): Promise<AuditReport> =>
  (await api.call('GET', `/v1/audit/verify${query}`)).body as unknown as AuditReport;

const exported = async (query = ''): Promise<string> => {
  const answer = await api.app.inject({
    url: `/v1/audit/export${query}`,
    headers: { authorization: `Bearer ${api.keys.admin}` },
  });
  return answer.body;
};

const check = (text: string, trusted: readonly string[] | 'any' = api.deps.audit.trusted): AuditReport => {
  const file = new AuditFileCheck(trusted === 'any' ? undefined : trusted);
  file.write(Buffer.from(text));
  return file.finish();
};

type Sql = (text: string, values?: unknown[]) => Promise<unknown>;

/** With the guards of the tables off, as somebody who owns the database could; put back afterwards. */
async function tampered(change: (sql: Sql) => Promise<unknown>): Promise<AuditReport> {
  const client = await api.deps.wholePool.connect();
  const sql: Sql = (text, values) => client.query(text, values);
  const tables = ['events', 'checkpoint_heads', 'checkpoints'];
  try {
    await sql('SET session_replication_role = replica');
    for (const table of [...tables, 'agent_runs']) await sql(`CREATE TABLE kept_${table} AS TABLE ${table}`);
    await change(sql);
    return await verify();
  } finally {
    for (const table of tables) await sql(`DELETE FROM ${table}`);
    for (const table of tables) await sql(`INSERT INTO ${table} SELECT * FROM kept_${table}`);
    await sql(
      `UPDATE agent_runs r SET last_seq = k.last_seq, last_hash = k.last_hash FROM kept_agent_runs k WHERE k.id = r.id`,
    );
    for (const table of [...tables, 'agent_runs']) await sql(`DROP TABLE kept_${table}`);
    await sql('SET session_replication_role = DEFAULT');
    client.release();
  }
}

test('a log that nobody touched is whole, and every event of it is signed', async () => {
  expect(await verify()).toMatchObject({ ok: true, runs: 3, checkpoints: 2, unsigned: 0, problems: [] });
});

test('events after the last checkpoint are chained and counted as not signed yet', async () => {
  const id = runs[2] as string;
  await api.append(id, 'run.paused');
  expect(await verify()).toMatchObject({ ok: true, unsigned: 1 });
  await signHeads({ ...api.deps, pool: api.deps.wholePool }, 'default', { all: true });
  expect(await verify()).toMatchObject({ ok: true, unsigned: 0 });
  expect(await verify(`?runId=${id}`)).toMatchObject({ ok: true, runs: 1 });
});

describe('any column of any event that is changed', () => {
  const changes: [string, string][] = [
    ['type', `overlay(type placing 'x' from 2 for 1)`],
    ['at', `at + interval '1 microsecond'`],
    ['at by a day', `at - interval '1 day'`],
    ['actor', `replace(actor::text, '"id":"', '"id":"x')::json`],
    ['step', `coalesce(step, 0) + 1`],
    ['tool_call_id', `coalesce(tool_call_id, '') || 'x'`],
    ['data', `overlay(data::text placing ' ' from 2 for 0)::json`],
    ['prev_hash', `overlay(prev_hash placing 'z' from 64 for 1)`],
    ['hash', `overlay(hash placing 'z' from 1 for 1)`],
  ];
  test.each(changes)('is found: %s', async (name, sql) => {
    const column = name.split(' ')[0] as string;
    const [, id] = runs as [string, string];
    const { rows } = await api.deps.wholePool.query<{ seq: number }>(
      'SELECT seq FROM events WHERE agent_run_id = $1 ORDER BY seq',
      [id],
    );
    for (const { seq } of rows) {
      const report = await tampered((run) =>
        run(`UPDATE events SET ${column} = ${sql} WHERE agent_run_id = $1 AND seq = $2`, [id, seq]),
      );
      expect({ ok: report.ok, first: report.problems[0] }).toMatchObject({
        ok: false,
        first: { where: 'event', runId: id, seq },
      });
    }
  });
});

test.each([
  ['an event dropped', `DELETE FROM events WHERE agent_run_id = $1 AND seq = 3`, 3],
  ['the first event dropped', `DELETE FROM events WHERE agent_run_id = $1 AND seq = 1`, 1],
  ['the tail dropped', `DELETE FROM events WHERE agent_run_id = $1 AND seq >= 4`, 4],
  ['the last event dropped', `DELETE FROM events WHERE agent_run_id = $1 AND seq = 7`, 7],
  ['all events dropped', `DELETE FROM events WHERE agent_run_id = $1`, 1],
])('%s: found, and the first bad event is named', async (_what, text, seq) => {
  const [, id] = runs as [string, string];
  const report = await tampered((sql) => sql(text, [id]));
  expect(report).toMatchObject({ ok: false, problems: [{ where: 'event', runId: id, seq }] });
});

test('two events exchanged: found, and the first bad event is named', async () => {
  const [, id] = runs as [string, string];
  const report = await tampered(async (sql) => {
    const move = `UPDATE events SET seq = $2 WHERE agent_run_id = $1 AND seq = $3`;
    for (const [to, from] of [
      [99, 3],
      [3, 4],
      [4, 99],
    ])
      await sql(move, [id, to, from]);
  });
  expect(report).toMatchObject({ ok: false, problems: [{ where: 'event', runId: id, seq: 3 }] });
});

test('a whole run that is gone is missed', async () => {
  const [, id] = runs as [string, string];
  const report = await tampered(async (sql) => {
    await sql('DELETE FROM events WHERE agent_run_id = $1', [id]);
    await sql(`UPDATE agent_runs SET last_seq = 0, last_hash = '' WHERE id = $1`, [id]);
  });
  expect(report).toMatchObject({ ok: false, problems: [{ where: 'event', runId: id, seq: 1 }] });
});

test('a tail that was dropped together with what the run says of its log is found by the checkpoint', async () => {
  const [, id] = runs as [string, string];
  const report = await tampered(async (sql) => {
    await sql('DELETE FROM events WHERE agent_run_id = $1 AND seq > 4', [id]);
    const last = '(SELECT hash FROM events WHERE agent_run_id = $1 AND seq = 4)';
    await sql(`UPDATE agent_runs SET last_seq = 4, last_hash = ${last} WHERE id = $1`, [id]);
  });
  const problem = expect.stringContaining('a checkpoint has signed event');
  expect(report.problems).toMatchObject([{ runId: id, seq: 5, problem }]);
});

test('a log that was written anew, with hashes that fit, is not the one that was signed', async () => {
  const [, id] = runs as [string, string];
  const report = await tampered(async (sql) => {
    await sql('DELETE FROM events WHERE agent_run_id = $1', [id]);
    await sql('UPDATE agent_runs SET last_seq = 0, last_hash = $2 WHERE id = $1', [id, GENESIS_HASH]);
    await api.append(id, ...Array.from({ length: 7 }, (): EventType => 'run.paused'));
  });
  expect(report.problems).toMatchObject([
    { runId: id, seq: 5, problem: 'is not the one that a checkpoint has signed' },
  ]);
});

test.each([
  [
    'a head changed',
    `UPDATE checkpoint_heads SET hash = overlay(hash placing 'z' from 5 for 1) WHERE checkpoint = 1`,
    1,
  ],
  ['a head dropped', `DELETE FROM checkpoint_heads WHERE checkpoint = 2`, 2],
  [
    'a signature changed',
    `UPDATE checkpoints SET signature = overlay(signature placing '.' from 3 for 1) WHERE number = 2`,
    2,
  ],
  ['the time changed', `UPDATE checkpoints SET at = at + interval '1 microsecond' WHERE number = 1`, 1],
  ['the key changed', `UPDATE checkpoints SET public_key = 'ed25519:${'A'.repeat(43)}' WHERE number = 1`, 1],
  ['one dropped', `DELETE FROM checkpoints WHERE number = 1`, 2],
  ['the newest dropped', `DELETE FROM checkpoints WHERE number = 3`, 3],
])('checkpoints: %s: found', async (_what, text, number) => {
  const report = await tampered((sql) => sql(text));
  expect(report).toMatchObject({ ok: false, problems: [{ where: 'checkpoint', checkpoint: number }] });
});

test('a checkpoint that was signed with a key of somebody else does not count', async () => {
  const key = auditKeyOf(newAuditSecret()) as AuditKey;
  const anchor = { last: () => undefined, remember: () => undefined };
  const report = await tampered(async (sql) => {
    await sql('DELETE FROM checkpoint_heads');
    await sql('DELETE FROM checkpoints');
    await signHeads({ pool: api.deps.wholePool, audit: { key, trusted: [], anchor } }, 'default', { all: true });
  });
  expect(report.problems[0]).toMatchObject({ where: 'checkpoint', checkpoint: 1 });
  expect(report.problems[0]?.problem).toContain('a key that is not trusted');
});

test('a service that is told of a former key takes its signatures', async () => {
  const { audit } = api.deps;
  const next = auditKeyOf(newAuditSecret()) as AuditKey;
  api.deps.audit = { ...audit, key: next, trusted: [next.publicKey] };
  expect((await verify()).problems[0]?.problem).toContain('a key that is not trusted');
  api.deps.audit = { ...audit, key: next, trusted: [next.publicKey, audit.key.publicKey] };
  expect(await verify()).toMatchObject({ ok: true });
  api.deps.audit = audit;
});

test('housekeeping signs the head of a run soon after it ended, of every tenant', async () => {
  const id = await aRunThatActed('call_9');
  const sweep = checkpoints({ ...api.deps, pool: api.deps.wholePool });
  await sweep.run();
  await api.end(id, 'completed');
  expect(await verify()).toMatchObject({ unsigned: 1 });
  await sweep.run();
  expect(await verify()).toMatchObject({ ok: true, unsigned: 0 });
  const before = await verify();
  await sweep.run();
  expect((await verify()).checkpoints).toBe(before.checkpoints);
});

test('many heads make several checkpoints', async () => {
  for (const id of runs) await api.append(id, 'run.paused');
  expect(await signHeads({ ...api.deps, pool: api.deps.wholePool }, 'default', { all: true, maxHeads: 1 })).toBe(3);
  expect(await verify()).toMatchObject({ ok: true, unsigned: 0 });
});

describe('an export', () => {
  test('names for every effect who, what, by which rule and approved by whom, and no content', async () => {
    const text = await exported();
    expect(text).not.toContain('hello');
    const effects = text
      .split('\n')
      .filter((line) => line.startsWith('{"kind":"effect"'))
      .map((line) => JSON.parse(line) as AuditEffect);
    expect(effects.find((effect) => effect.runId === runs[0])).toMatchObject({
      agent: 'plain',
      startedBy: { kind: 'key' },
      tool: 'refund',
      effect: 'irreversible',
      rule: 'approve[0]',
      argumentsDigest: 'd'.repeat(64),
      approvers: [by],
      approvalId: 'apr_1',
      outcome: 'succeeded',
    });
  });

  test('is whole by itself, also of one run', async () => {
    expect(check(await exported())).toMatchObject({ ok: true, runs: 4, unsigned: 0 });
    expect(check(await exported(`?runId=${runs[1]}`))).toMatchObject({ ok: true, runs: 1, unsigned: 0 });
  });

  test('signed anew by somebody else is refused by whoever knows the key, and said to be one piece by whoever trusts any', async () => {
    const { audit } = api.deps;
    const key = auditKeyOf(newAuditSecret()) as AuditKey;
    api.deps.audit = { ...audit, key };
    const forged = await exported();
    api.deps.audit = audit;
    expect(check(forged)).toMatchObject({ ok: false });
    expect(check(forged, 'any')).toMatchObject({ ok: true });
  });

  test('needs the role admin, and an id of another tenant is not found', async () => {
    for (const what of ['export', 'verify', 'checkpoints'])
      expect((await api.call('GET', `/v1/audit/${what}`, { as: 'approver' })).status).toBe(403);
    const theirs = await aForeignKey(api.deps);
    const headers = { authorization: `Bearer ${theirs}` };
    const answer = await api.app.inject({ url: `/v1/audit/export?runId=${runs[0]}`, headers });
    expect(answer.statusCode).toBe(404);
    const report = await api.app.inject({ url: '/v1/audit/verify', headers });
    expect(report.json()).toMatchObject({ ok: true, runs: 0, events: 0, checkpoints: 0 });
  });
});

describe('longhaul audit verify FILE', () => {
  let folder: string;
  beforeAll(() => (folder = mkdtempSync(path.join(tmpdir(), 'longhaul-audit-'))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const saved = async (name: string, change = (text: string) => text): Promise<string> => {
    const file = path.join(folder, name);
    writeFileSync(file, change(await exported()));
    return file;
  };
  const NOWHERE = { LONGHAUL_DATA_DIR: '/nowhere' };

  test('checks a file without the service, against a key that the caller names', async () => {
    const file = await saved('good.ndjson');
    const trust = api.deps.audit.key.publicKey;
    expect(await typeWords(['audit', 'verify', file, '--trust', trust], { env: NOWHERE })).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^ok {2}\d+ events of 4 runs/),
    });
    expect(
      await typeWords(['audit', 'verify', file], { env: { ...NOWHERE, LONGHAUL_AUDIT_TRUST: trust } }),
    ).toMatchObject({ code: 0 });
  });

  test('names the first bad event', async () => {
    const file = await saved('bad.ndjson', (text) => text.replace('"verdict":"ask"', '"verdict":"asks"'));
    const typed = await typeWords(['audit', 'verify', file, '--trust', 'any'], { env: NOWHERE });
    expect(typed.code).toBe(1);
    expect(typed.out).toContain(`event 3 of ${runs[0]} was changed`);
  });

  test('without a key that is known, says what to give', async () => {
    const file = await saved('good.ndjson');
    expect(await typeWords(['audit', 'verify', file], { env: NOWHERE })).toMatchObject({
      code: 1,
      err: expect.stringContaining('--trust'),
    });
    expect(await typeWords(['audit', 'verify', file, '--trust', 'ed25519:x'], { env: NOWHERE })).toMatchObject({
      code: 1,
      err: expect.stringContaining('no public key'),
    });
    expect(await typeWords(['audit', 'verify', '/no/such', '--trust', 'any'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('cannot be read'),
    });
  });
});

describe('the key', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), 'longhaul-key-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test('is made once and kept in the data folder, its public half beside it; one that is set wins', () => {
    const first = keepAuditKey(folder, undefined);
    expect(keepAuditKey(folder, undefined).publicKey).toBe(first.publicKey);
    expect(readFileSync(path.join(folder, 'audit-key.pub'), 'utf8')).toBe(`${first.publicKey}\n`);
    const set = keepAuditKey(folder, '00'.repeat(32));
    expect(set.publicKey).not.toBe(first.publicKey);
    expect(set.publicKey).toBe('ed25519:O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik');
  });

  test('the last checkpoint that was signed here is remembered over a restart', () => {
    keepAnchor(folder).remember('default', { number: 7, hash: 'abc' });
    const anchor = keepAnchor(folder);
    anchor.remember('default', { number: 6, hash: 'older' });
    expect(keepAnchor(folder).last('default')).toEqual({ number: 7, hash: 'abc' });
  });
});

test('a log that is longer than what is read at once, and runs without events, are read whole', async () => {
  const { wholePool: pool } = api.deps;
  const long = await aRunThatActed('call_10');
  const types = Array.from({ length: 1200 }, (): EventType => 'run.paused');
  await api.append(long, ...types);
  // 120 more, without a log of their own, on both sides of it.
  await pool.query(
    `INSERT INTO agent_runs (id, tenant_id, agent_name, agent_version, tools, status, created_by, request_hash, max_steps,
       max_tokens, max_cost_nano_usd, max_tool_calls, deadline, last_hash)
     SELECT side || i, tenant_id, agent_name, agent_version, tools, 'queued', created_by, request_hash, max_steps, max_tokens,
       max_cost_nano_usd, max_tool_calls, deadline, $2 FROM agent_runs, generate_series(1, 60) i, unnest(ARRAY['ra_', 'rz_']) side
     WHERE id = $1`,
    [long, GENESIS_HASH],
  );
  await signHeads({ ...api.deps, pool: api.deps.wholePool }, 'default', { all: true });
  const { rows } = await pool.query<{ n: number }>('SELECT count(*)::int n FROM events');
  expect(await verify()).toMatchObject({ ok: true, events: rows[0]?.n, unsigned: 0 });
  expect(check(await exported())).toMatchObject({ ok: true, events: rows[0]?.n, unsigned: 0 });
  const report = await tampered((sql) => sql('DELETE FROM events WHERE agent_run_id = $1 AND seq = 1100', [long]));
  expect(report.problems).toMatchObject([{ runId: long, seq: 1100 }]);
});
