// The audit of runs that really run: signed while they go on, checked over REST, exported, checked without the service.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { AuditEffect, AuditReport } from '../../contracts/audit.js';
import { waitFor } from '../../embedded/processes.js';
import type { Service } from '../../embedded/services.js';
import { type as typeWords } from '../cli/support.js';
import { ApiCaller, type TestService, calls, done, scriptOf, sinkAgent, startTestService } from '../support/service.js';
import { type Sink, startSink } from '../support/sink.js';

let service: TestService;
let first: Service;
let api: ApiCaller;
let sink: Sink;

beforeAll(async () => {
  [service, sink] = await Promise.all([startTestService({ api: false }), startSink()]);
  first = await service.startApi();
  api = ApiCaller.of(service);
});
afterAll(async () => {
  await service?.stop();
  await sink?.close();
});

const longhaul = (...words: string[]) =>
  typeWords([...words, '--url', service.apiUrl, '--key', service.adminKey], {
    env: { LONGHAUL_DATA_DIR: service.dataDir },
  });

/** Until a checkpoint has signed everything, by itself. */
const signed = (): Promise<AuditReport> =>
  waitFor(
    'all events to be signed',
    async () => {
      const report = await api.ok<AuditReport>('GET', '/v1/audit/verify');
      expect(report).toMatchObject({ ok: true });
      return report.unsigned === 0 && report;
    },
    30_000,
  );

test('a run that ended is signed within seconds; its audit names rule and approver, and is checked without the service', async () => {
  await service.model.putScript(scriptOf('audited', [calls(['charge', { what: 'big' }]), done()]));
  await api.putAgent(sinkAgent('audited', sink.url, { approve: [{ tool: 'charge' }] }));
  const { id } = await api.startRun('audited');
  const approval = await api.firstApproval(id);
  const decided = await api.decide(approval, 'approve');
  await api.ended(id);
  await signed();

  const file = path.join(service.dataDir, 'audit.ndjson');
  expect(await longhaul('audit', 'export', '--output', file)).toMatchObject({ code: 0, out: '' });
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  const effects = lines
    .map((line) => JSON.parse(line) as AuditEffect & { kind: string })
    .filter((l) => l.kind === 'effect');
  expect(effects).toMatchObject([
    {
      runId: id,
      agent: 'audited',
      tool: 'charge',
      effect: 'idempotent',
      rule: 'approve[0]',
      argumentsDigest: approval.argumentsDigest,
      approvers: [decided.decidedBy],
      approvalId: approval.id,
      outcome: 'succeeded',
    },
  ]);
  expect(await longhaul('audit', 'verify', file)).toMatchObject({ code: 0, out: expect.stringMatching(/^ok /) });
});

test('an API that is killed and started again goes on with the same key and the same checkpoints', async () => {
  const before = await signed();
  await first.kill();
  await service.startApi();
  await service.model.putScript(scriptOf('later', [done()]));
  await api.putAgent(sinkAgent('later', sink.url));
  const { id } = await api.startRun('later');
  await api.ended(id);
  const after = await signed();
  expect(after.checkpoints).toBeGreaterThan(before.checkpoints);
  expect(after.publicKeys).toEqual(before.publicKeys);
  expect(await longhaul('audit', 'verify')).toMatchObject({ code: 0 });
  expect((await longhaul('audit', 'checkpoints', '--json')).json().at(-1)).toMatchObject({ hash: after.latest?.hash });
});
