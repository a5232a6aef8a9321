// What of a run can be taken back, in which order, and what is named because it cannot.
import type { ToolDefinition } from '../../contracts/tools.js';
import { type FinishedCall, planUndo } from '../../harness/undoPlan.js';

const tool = (name: string, more: Partial<ToolDefinition> = {}): ToolDefinition => ({
  name,
  description: 'd',
  input: { type: 'object' },
  effect: 'irreversible',
  labels: ['untrusted'],
  controls: [],
  external: true,
  timeoutMs: 1000,
  maxAttempts: 1,
  source: 'http',
  ...more,
});

const TOOLS = [
  tool('book', { http: { url: 'http://a', undoUrl: 'http://a/undo' } }),
  tool('mail', { http: { url: 'http://a' } }),
  tool('own', { source: 'module', compensates: true }),
  tool('press', { source: 'client' }),
  tool('workspace_write', { source: 'builtIn', effect: 'idempotent' }),
];

const call = (id: string, more: Partial<FinishedCall> = {}): FinishedCall => ({
  id,
  step: 1,
  position: 0,
  tool: 'book',
  effect: 'irreversible',
  outcome: 'succeeded',
  claimedAt: new Date(1000),
  returnedAt: new Date(2000),
  argumentsHash: `args-${id}`,
  argumentsDigest: `args-${id}`,
  resultHash: `result-${id}`,
  ...more,
});

const plan = (calls: FinishedCall[], undone: string[] = [], round = 0) =>
  planUndo('run_1', calls, TOOLS, { round, undone: new Set(undone) });

test('the latest effect is the first to go: by step, within a step by when it came back', () => {
  const calls = [
    call('a', { step: 1 }),
    call('b', { step: 2, position: 0, returnedAt: new Date(9000) }),
    call('c', { step: 2, position: 1, returnedAt: new Date(5000) }),
    call('d', { step: 10, tool: 'own' }),
  ];
  expect(plan(calls).steps.map((s) => s.call.id)).toEqual(['d', 'b', 'c', 'a']);
});

test('what cannot be taken back is named, with why', () => {
  const { steps, cannot } = plan([
    call('mailed', { tool: 'mail' }),
    call('unsure', { outcome: 'unknown' }),
    call('pressed', { tool: 'press' }),
    call('gone', { tool: 'gone' }),
  ]);
  expect(steps).toEqual([]);
  expect(Object.fromEntries(cannot.map((c) => [c.call.id, c.why]))).toEqual({
    mailed: 'mail has no way to take it back',
    unsure: 'nobody knows whether it happened',
    pressed: 'whoever started the run executed it, and has to take it back',
    gone: 'the run has no such tool',
  });
});

test('what did nothing outside is not in the plan', () => {
  const { steps, cannot } = plan([
    call('read', { effect: 'read' }),
    call('rejected', { outcome: 'rejected', claimedAt: null }),
    call('failed', { outcome: 'failed' }),
    call('file', { tool: 'workspace_write', effect: 'idempotent' }),
  ]);
  expect([steps, cannot]).toEqual([[], []]);
});

test('what was taken back is not taken back again', () => {
  expect(plan([call('a'), call('b')], ['a']).steps.map((s) => s.call.id)).toEqual(['b']);
});

test('a plan has another digest when anything of it is different', () => {
  const one = plan([call('a'), call('b', { step: 2 })]).digest;
  expect(plan([call('a'), call('b', { step: 2 })]).digest).toBe(one);
  const others = [
    plan([call('a')]),
    plan([call('a'), call('b', { step: 2, argumentsDigest: 'x' })]),
    plan([call('a'), call('b', { step: 2, resultHash: 'x' })]),
    plan([call('a', { step: 3 }), call('b', { step: 2 })]),
    plan([call('a'), call('b', { step: 2 }), call('c', { tool: 'mail' })]),
    plan([call('a'), call('b', { step: 2 })], [], 1),
  ];
  expect(new Set([one, ...others.map((p) => p.digest)]).size).toBe(others.length + 1);
});
