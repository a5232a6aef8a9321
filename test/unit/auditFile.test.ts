// An exported audit, byte by byte: whatever is changed, dropped, doubled, moved or cut off is found, and named.
import type { AuditReport } from '../../contracts/audit.js';
import { type NewEvent, type RunEvent, systemActor } from '../../contracts/events.js';
import { AuditEffects } from '../../harness/log/auditEffects.js';
import { AuditFileCheck, AuditFileWriter } from '../../harness/log/auditFile.js';
import { type AuditKey, auditKeyOf } from '../../harness/log/auditKey.js';
import { signCheckpoint } from '../../harness/log/checkpoint.js';
import { chainEvents, emptyChain } from '../../harness/log/eventHash.js';

const key = auditKeyOf('07'.repeat(32)) as AuditKey;
const at = '2026-11-23T12:00:00.000Z';

function aRun(runId: string): RunEvent[] {
  const event = (type: NewEvent['type'], data: object): NewEvent => ({
    type,
    actor: systemActor('w'),
    step: 1,
    toolCallId: 'call_1',
    data: { ...data },
  });
  const { step: _step, toolCallId: _call, ...created } = event('run.created', { agent: 'désk', agentVersion: 'v' });
  const events = [
    created,
    event('tool.started', { tool: 'pay', effect: 'irreversible', rule: 'r', argumentsDigest: 'd', attempt: 1 }),
    event('tool.returned', { tool: 'pay', outcome: 'succeeded' }),
  ];
  return chainEvents(runId, emptyChain, events, at);
}

function anExport(): string {
  const runs = ['run_a', 'run_b'].map((runId) => ({ runId, events: aRun(runId) }));
  const file = new AuditFileWriter(key);
  const heads = runs.map(({ runId, events }) => ({ runId, seq: 3, hash: events[2]?.hash ?? '' }));
  const checkpoint = signCheckpoint(key, undefined, { tenantId: 't', heads, at });
  const lines = [
    file.line({ kind: 'audit', format: 1, tenantId: 't', exportedAt: at, publicKey: key.publicKey }),
    file.line({ kind: 'checkpoint', ...checkpoint }),
    ...runs.flatMap(({ runId, events }) => {
      const effects = new AuditEffects(runId);
      for (const event of events) effects.take(event);
      return [
        ...events.map((event) => file.line({ kind: 'event', runId, ...event })),
        ...effects.all().map((effect) => file.line({ kind: 'effect', ...effect })),
      ];
    }),
  ];
  return lines.join('') + file.end();
}

const check = (bytes: Buffer): AuditReport => {
  const file = new AuditFileCheck([key.publicKey]);
  file.write(bytes);
  return file.finish();
};

const bytes = Buffer.from(anExport());
const lines = bytes.toString('utf8').split(/(?<=\n)/);

/** The event that the line at this byte is. */
function eventAt(position: number): { runId: string; seq: number } | undefined {
  const from = position === 0 ? 0 : bytes.lastIndexOf(10, position - 1) + 1;
  const line = JSON.parse(bytes.subarray(from, bytes.indexOf(10, position)).toString()) as Record<string, unknown>;
  return line['kind'] === 'event' ? { runId: line['runId'] as string, seq: line['seq'] as number } : undefined;
}

const firstEvent = ({ problems }: AuditReport) => problems.find(({ where }) => where === 'event');

test('an export that nobody touched is whole', () => {
  expect(check(bytes)).toMatchObject({ ok: true, runs: 2, events: 6, checkpoints: 1, unsigned: 0 });
});

test('it may come in pieces of any size', () => {
  const file = new AuditFileCheck([key.publicKey]);
  for (let from = 0; from < bytes.length; from += 7) file.write(bytes.subarray(from, from + 7));
  expect(file.finish()).toMatchObject({ ok: true, events: 6 });
});

test.each([
  ['changed', (position: number) => bytes.with(position, (bytes[position] as number) ^ (1 << (position % 8)))],
  ['dropped', (position: number) => Buffer.concat([bytes.subarray(0, position), bytes.subarray(position + 1)])],
])('any byte %s is found; in an event, the first bad event is named', (_what, alter) => {
  const wrong: string[] = [];
  for (let position = 0; position < bytes.length; position++) {
    const report = check(Buffer.from(alter(position)));
    if (report.ok) wrong.push(`byte ${position} is not noticed`);
    const event = bytes[position] === 10 ? undefined : eventAt(position);
    const isNamed = report.problems.some((p) => p.runId === event?.runId && p.seq === event?.seq);
    if (event && !isNamed) {
      wrong.push(`byte ${position}: ${event.runId} ${event.seq}, said ${JSON.stringify(report.problems)}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('any line dropped, doubled or exchanged with the next, and any tail cut off, is found', () => {
  const wrong = lines.flatMap((line, i) =>
    [
      lines.toSpliced(i, 1),
      lines.toSpliced(i, 0, line),
      ...(i + 1 < lines.length ? [lines.toSpliced(i, 2, lines[i + 1] as string, line)] : []),
      lines.slice(0, i),
    ].flatMap((altered, way) => (check(Buffer.from(altered.join(''))).ok ? [`line ${i + 1}, way ${way}`] : [])),
  );
  expect(wrong).toEqual([]);
});

test.each([
  ['an event dropped', lines.toSpliced(3, 1), { runId: 'run_a', seq: 2 }],
  ['the last event of a run dropped', lines.toSpliced(4, 1), { runId: 'run_a', seq: 3 }],
  ['two events exchanged', lines.toSpliced(2, 2, lines[3] as string, lines[2] as string), { runId: 'run_a', seq: 1 }],
  ['a run dropped', lines.toSpliced(6, 4), { runId: 'run_b', seq: 1 }],
  ['everything after an event dropped', lines.slice(0, 8), { runId: 'run_b', seq: 3 }],
])('%s: the first bad event is named', (_what, altered, named) => {
  expect(firstEvent(check(Buffer.from(altered.join(''))))).toMatchObject(named);
});

test('an effect names who, what, rule and approver; one that was taken back is followed by who approved that', () => {
  const person = { kind: 'key' as const, id: 'key_1' };
  const other = { kind: 'key' as const, id: 'key_2' };
  const event = (type: NewEvent['type'], data: NewEvent['data']): NewEvent => ({
    type,
    actor: systemActor('w'),
    toolCallId: 'call_1',
    data,
  });
  const effects = new AuditEffects('run_a');
  const acts = { tool: 'pay', argumentsDigest: 'd', attempt: 1 };
  const events = [
    { type: 'run.created' as const, actor: person, data: { agent: 'desk', agentVersion: 'v' } },
    event('tool.started', {
      ...acts,
      effect: 'irreversible',
      rule: 'r',
      approvedBy: other,
      approvers: [other, person],
    }),
    event('tool.returned', { tool: 'pay', outcome: 'unknown' }),
    event('tool.result_late', { tool: 'pay', outcome: 'succeeded' }),
    event('tool.compensating', { ...acts, approvedBy: other }),
    event('tool.compensated', { tool: 'pay', outcome: 'undone' }),
  ];
  for (const one of chainEvents('run_a', emptyChain, events, at)) effects.take(one);
  const base = { runId: 'run_a', agent: 'desk', startedBy: person, toolCallId: 'call_1', tool: 'pay' };
  expect(effects.all()).toMatchObject([
    { ...base, seq: 2, effect: 'irreversible', rule: 'r', approvers: [other, person], outcome: 'succeeded' },
    { ...base, seq: 5, effect: 'compensation', rule: 'undo', approvers: [other], outcome: 'undone' },
  ]);
});

test('a key of 32 bytes is taken in hex, base64 and base64url; anything else is not', () => {
  const secret = Buffer.from('fbff'.repeat(16), 'hex');
  const keys = (['hex', 'base64', 'base64url'] as const).map((form) => auditKeyOf(secret.toString(form))?.publicKey);
  expect(new Set(keys).size).toBe(1);
  expect(keys[0]).toMatch(/^ed25519:[\w-]{43}$/);
  expect(['', 'short', '07'.repeat(31), 'x'.repeat(44)].map((text) => auditKeyOf(text))).toEqual(
    Array(4).fill(undefined),
  );
});
