// The judge of the crash matrix: nothing that a kill could leave behind escapes it.
import { choose, readChoice } from '../../bench/crash-matrix/choice.js';
import { type Comparison, compare } from '../../bench/crash-matrix/compare.js';
import type { VictimResult } from '../../bench/crash-matrix/matrix.js';
import type { Hit, PassRun } from '../../bench/crash-matrix/pass.js';
import { oneOfEachKind, pointsOf, shareOut } from '../../bench/crash-matrix/points.js';
import type { RunRecord } from '../../bench/crash-matrix/record.js';
import { markdown } from '../../bench/crash-matrix/report.js';
import type { NewEvent } from '../../contracts/events.js';
import { chainEvents, emptyChain } from '../../harness/log/eventHash.js';

const ID = 'run_1';
const system = { kind: 'system', id: 'test' } as const;
const event = (type: NewEvent['type'], data: NewEvent['data'], more: Partial<NewEvent> = {}): NewEvent => ({
  type,
  actor: system,
  data,
  ...more,
});
const ofCall = { step: 1, toolCallId: 'toolu_1' };

const FACTS: NewEvent[] = [
  event('run.created', { agent: 'an-agent' }),
  event('model.requested', { attempt: 1 }, { step: 1 }),
  event('model.replied', { stopReason: 'tool_use' }, { step: 1 }),
  event('tool.started', { tool: 'launch', attempt: 1 }, ofCall),
  event('tool.returned', { tool: 'launch', outcome: 'succeeded', resultHash: 'h' }, ofCall),
  event('run.completed', {}),
];

/** A run of one step with one irreversible call, as it is when nobody disturbs it, or with something else in place. */
function aRecord({ facts = FACTS, ...change }: Partial<RunRecord> & { facts?: NewEvent[] } = {}): RunRecord {
  const events = chainEvents(ID, emptyChain, facts, '2026-01-01T00:00:00.000Z');
  const last = events.at(-1);
  const row = { id: ID, status: 'completed', steps: 1, toolCalls: 1, inputTokens: 100, outputTokens: 10 };
  return {
    agent: 'an-agent',
    run: { ...row, lastSeq: last?.seq, lastHash: last?.hash } as RunRecord['run'],
    workflow: 'COMPLETED',
    events,
    messages: [{ seq: 1, role: 'assistant', step: 1, parts: [] }],
    effects: [{ tool: 'launch', toolCallId: 'toolu_1', arguments: { what: 'x' }, requests: 1, effects: 1 }],
    bill: aBill(1),
    ...change,
  };
}

function aBill(calls: number, unfinished = 0): RunRecord['bill'] {
  const usage = {
    input_tokens: 100 * (calls + unfinished),
    output_tokens: 10 * (calls + unfinished),
    cache_read_input_tokens: 0,
    cache_creation_input_tokens: 0,
  };
  const turn = { script: 'an-agent', conversation: 'c', turn: 0, calls, unfinished, usage, costUsd: 0 };
  return { calls, unfinished, repeated: [], usage, costUsd: 0, turns: [turn] };
}

/** The worker was killed when the log ended with this event. */
const killedAfter = (...seqs: number[]): Hit[] =>
  seqs.map((lastSeq) => ({ point: undefined, at: 0, awayMs: 0, lastSeq, met: true }));

const judged = (record: RunRecord, pass: Partial<PassRun> = {}): Comparison =>
  compare(aRecord(), record, {
    ...{ victim: 'worker', agent: 'an-agent', agentRunId: ID, hits: [], streamFaults: [], stuck: undefined },
    ...pass,
  });
const textsOf = ({ differences }: Comparison): string[] => differences.map(({ kind, text }) => `${kind}: ${text}`);

const withFacts = (at: number, ...facts: NewEvent[]): RunRecord => aRecord({ facts: FACTS.toSpliced(at, 0, ...facts) });

test('a run that went as its twin did differs in nothing', () => {
  expect(judged(aRecord())).toEqual({ differences: [], unknown: [], repeated: [] });
});

test('an effect that happened twice is found', () => {
  const effects = [{ ...(aRecord().effects[0] as RunRecord['effects'][0]), requests: 2, effects: 2 }];
  expect(textsOf(judged(aRecord({ effects })))).toEqual([
    'twice: launch toolu_1 had 2 effects',
    'twice: launch toolu_1 was asked 2 times',
  ]);
});

test('a call that was made under another key is found', () => {
  const [effect] = aRecord().effects as [RunRecord['effects'][0]];
  const record = aRecord({ effects: [effect, effect] });
  expect(textsOf(judged(record, { hits: killedAfter(4) }))).toEqual([
    'twice: launch toolu_1 had 2 effects',
    'twice: launch toolu_1 was asked under 2 keys',
  ]);
});

test('an effect that never happened is found', () => {
  expect(textsOf(judged(aRecord({ effects: [] })))).toEqual(['lost: launch toolu_1 had no effect']);
});

test('an effect that nobody planned is found', () => {
  const stranger = { tool: 'launch', toolCallId: 'toolu_2', arguments: {}, requests: 1, effects: 1 };
  expect(textsOf(judged(aRecord({ effects: [...aRecord().effects, stranger] })))).toEqual([
    'twice: launch toolu_2 happened',
  ]);
});

test('a call with other arguments is found', () => {
  const effects = [{ ...(aRecord().effects[0] as RunRecord['effects'][0]), arguments: { what: 'y' } }];
  expect(textsOf(judged(aRecord({ effects })))).toEqual(['lost: launch toolu_1 was given {"what":"y"}']);
});

test('a finished model call that is made again is found, one that was in flight may be', () => {
  const record = aRecord({ bill: aBill(2) });
  expect(textsOf(judged(record, { hits: killedAfter(1, 3, 5) }))).toEqual(['twice: the model was asked 2 times']);
  expect(judged(record, { hits: killedAfter(2) })).toEqual({ differences: [], unknown: [], repeated: [1] });
});

test('a call in flight is not made again because of an API that was killed', () => {
  const record = aRecord({ bill: aBill(2) });
  expect(textsOf(judged(record, { victim: 'api', hits: killedAfter(2) }))).toEqual([
    'twice: the model was asked 2 times',
  ]);
});

test('a bill that lacks a reply, and one that has more than the model billed, are found', () => {
  const { run } = aRecord();
  expect(textsOf(judged(aRecord({ run: { ...run, inputTokens: 0 } })))).toEqual([
    "lost: input tokens: 0 on the run's bill, 100 undisturbed",
  ]);
  expect(textsOf(judged(aRecord({ run: { ...run, outputTokens: 20 } })))).toEqual([
    "twice: output tokens: 20 on the run's bill, 10 on the model's",
  ]);
});

test('an event that is missing, one that is there twice, and one that is new are found', () => {
  expect(textsOf(judged(aRecord({ facts: FACTS.toSpliced(4, 1) })))).toEqual([
    expect.stringMatching(/^lost: the log lacks tool\.returned toolu_1/),
  ]);
  expect(textsOf(judged(withFacts(3, FACTS[2] as NewEvent)))).toEqual([
    expect.stringMatching(/^twice: the log has twice model\.replied 1/),
  ]);
  expect(textsOf(judged(withFacts(5, event('run.paused', {}))))).toEqual([
    expect.stringMatching(/^other: the log has besides run\.paused/),
  ]);
});

test('events in another order are found', () => {
  const [created, requested, ...rest] = FACTS as [NewEvent, NewEvent];
  expect(textsOf(judged(aRecord({ facts: [requested, created, ...rest] })))).toEqual([
    'other: the log of the run is in another order',
  ]);
});

test('what tells of attempts is no difference', () => {
  const attempts = [
    event('model.failed', { type: 'AttemptLost' }, { step: 1 }),
    event('worker.lost', { worker: 'w' }),
    event('model.requested', { attempt: 2 }, { step: 1 }),
  ];
  expect(textsOf(judged(withFacts(2, ...attempts)))).toEqual([]);
});

test('a log that was changed, and one whose tail is gone, are found', () => {
  const { events, run } = aRecord();
  const changed = events.map((e) => (e.seq === 5 ? { ...e, at: '2026-01-02T00:00:00.000Z' } : e));
  expect(textsOf(judged(aRecord({ events: changed })))).toEqual([
    'other: event 5: was changed: its hash does not match',
  ]);
  expect(textsOf(judged(aRecord({ run: { ...run, lastSeq: 7 } })))).toEqual([
    "other: the log ends with event 6, the run's row says 7",
  ]);
});

test('another end, in the row or in Temporal, is found', () => {
  const { run } = aRecord();
  expect(textsOf(judged(aRecord({ run: { ...run, status: 'failed' }, workflow: 'FAILED' })))).toEqual([
    expect.stringMatching(/^other: it ended as \["failed"/),
    'other: Temporal has it as FAILED and not as COMPLETED',
  ]);
});

test('a message that is missing, and one that says something else, are found', () => {
  expect(textsOf(judged(aRecord({ messages: [] })))).toEqual([expect.stringMatching(/^lost: message 1 is undefined/)]);
  const [message] = aRecord().messages as [RunRecord['messages'][0]];
  expect(textsOf(judged(aRecord({ messages: [{ ...message, role: 'user' }] })))).toEqual([
    expect.stringMatching(/^other: message 1 is/),
  ]);
});

test('a gap in the live stream, and a run that does not come to its end, are found', () => {
  const pass = { streamFaults: ['event 5 came after 3'], stuck: 'it did not come to its end' };
  expect(textsOf(judged(aRecord(), pass))).toEqual([
    'lost: it did not come to its end',
    'other: the stream: event 5 came after 3',
  ]);
});

test('an irreversible call may be unknown when the worker was killed in it, and at no other time', () => {
  const unknown = event('tool.returned', { tool: 'launch', outcome: 'unknown' }, ofCall);
  const effects = [{ ...(aRecord().effects[0] as RunRecord['effects'][0]), effects: 0 }];
  const record = aRecord({ facts: FACTS.toSpliced(4, 1, unknown), effects });
  expect(judged(record, { hits: killedAfter(4) })).toEqual({ differences: [], unknown: ['toolu_1'], repeated: [] });
  expect(textsOf(judged(record, { hits: killedAfter(3) }))).toContain(
    'other: toolu_1 is unknown though nobody was killed in it',
  );
});

test('there is a point on both sides of each commit and at three places of each model call, two of each tool call', () => {
  const { events } = aRecord();
  const points = pointsOf([events.slice(0, 2), events.slice(2, 4), events.slice(4, 6)]);
  expect(points.map((point) => point.kind)).toEqual([
    'before the commit of run.created',
    'after the commit of run.created',
    'in a model call, before the reply',
    'in a model call, in the middle of the reply',
    'in a model call, before its last byte',
    'before the commit of model.replied',
    'after the commit of model.replied',
    'in launch, before its effect',
    'in launch, after its effect',
    'before the commit of tool.returned of launch',
    'after the commit of tool.returned of launch',
  ]);
  expect(oneOfEachKind([...points, ...points])).toEqual(points);
});

test('points are shared out so that each is met once and no run is killed twice in a step', () => {
  const points = Array.from({ length: 60 }, (_, i) => ({
    ...{ n: i + 1, kind: 'k', step: Math.floor(i / 7) + 1 },
    place: { in: 'model', turn: 0, at: 'before' } as const,
  }));
  const runs = shareOut(points, false);
  expect(runs.flat().toSorted((a, b) => a.n - b.n)).toEqual(points);
  for (const run of runs) expect(new Set(run.map((point) => point.step)).size).toBe(run.length);
});

test('a sample has so many points, the same every time, of each kind and along the whole run', () => {
  const points = Array.from({ length: 100 }, (_, i) => ({
    ...{ n: i + 1, kind: i < 98 ? `kind ${i % 3}` : 'rare', step: i + 1 },
    place: { in: 'model', turn: i, at: 'before' } as const,
  }));
  const sample = choose(points, { sample: 20 });
  expect(sample).toHaveLength(20);
  expect(choose(points, { sample: 20 })).toEqual(sample);
  expect(new Set(sample.map((point) => point.kind))).toEqual(new Set(['kind 0', 'kind 1', 'kind 2', 'rare']));
  const gaps = sample.slice(1).map((point, i) => point.n - (sample[i]?.n ?? 0));
  expect(Math.max(...gaps)).toBeLessThanOrEqual(8);
  expect(choose(points, { sample: 1000 })).toEqual(points);
  expect(() => choose(points, { sample: 3 })).toThrow('there are 4 kinds of points');
});

test('points are asked for as every, kinds, a sample, or by number; anything else is refused', () => {
  expect(['every', 'kinds', 'sample:50', '12..40', '7'].map(readChoice)).toEqual([
    'every',
    'kinds',
    { sample: 50 },
    { from: 12, to: 40 },
    { from: 7, to: 7 },
  ]);
  expect(['', 'some', 'sample', 'sample:0', '0', '9..3', '1..'].map(readChoice)).toEqual(Array(7).fill(undefined));
});

test('a matrix that was ended early is published as one, with the processes that it did not come to', () => {
  const worker: VictimResult = {
    victim: 'worker',
    points: 1,
    missed: [],
    kills: [],
    differences: [],
    runs: 1,
    seconds: 60,
  };
  const result = { steps: 10, events: 70, twinSeconds: 1, points: 1, victims: [worker] };
  const by = { machine: 'a machine', args: [] };
  expect(markdown(result, { ...by, victims: ['worker', 'api', 'postgres'] })).toContain(
    'ended before these were killed at every point: api, postgres.',
  );
  expect(markdown(result, { ...by, victims: ['worker'] })).not.toContain('ended before');
});
