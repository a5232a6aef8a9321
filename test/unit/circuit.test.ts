// The circuit breaker of a model: when it opens, who may go out, and how those in line come back.
import {
  type Circuit,
  SPACING_MS,
  afterAnswer,
  afterFailure,
  afterProbeGivenUp,
  afterReply,
  closedCircuit,
  inLine,
  isOpen,
  passage,
  probing,
} from '../../harness/limits/circuit.js';

const T0 = 1_800_000_000_000;

const failure = (runId: string, more: Partial<Parameters<typeof afterFailure>[1]> = {}) => ({
  runId,
  startedAt: T0,
  reason: 'overloaded',
  ...more,
});

/** As by runs that fail one after the other, a second apart. */
const failed = (...runs: string[]): Circuit =>
  runs.reduce((c, run, i) => afterFailure(c, failure(run), T0 + i * 1000), closedCircuit);

const opened = failed('a', 'b', 'c');
const due = opened.probeAt as number;

test('three runs that fail one after the other open it; fewer do not', () => {
  expect(isOpen(failed('a', 'b'))).toBe(false);
  expect(isOpen(opened)).toBe(true);
});

test('one run whose own request is the trouble never opens it for others', () => {
  expect(isOpen(failed(...Array.from({ length: 50 }, () => 'a')))).toBe(false);
});

test('a whole reply in between, or a long time, begins the count anew', () => {
  expect(isOpen(afterFailure(afterReply(failed('a', 'b')), failure('c'), T0 + 3000))).toBe(false);
  expect(isOpen(afterFailure(failed('a', 'b'), failure('c'), T0 + 120_000))).toBe(false);
});

test('a delay that the provider names, and a spend limit, hold for every run at once', () => {
  const limited = afterFailure(closedCircuit, failure('a', { retryAfterMs: 20_000 }), T0);
  expect(limited.probeAt).toBe(T0 + 20_000);
  expect(isOpen(afterFailure(closedCircuit, failure('a', { forAll: true }), T0))).toBe(true);
  expect(afterFailure(closedCircuit, failure('a', { retryAfterMs: 86_400_000 }), T0).probeAt).toBe(T0 + 300_000);
});

test('while it is open nobody goes; when it is due one does, and no other while that one is under way', () => {
  expect(passage(opened, 'd', due - 1)).toBe('wait');
  expect(passage(opened, 'd', due)).toBe('probe');
  const probed = probing(opened, 'd', due);
  expect(passage(probed, 'e', due + 1)).toBe('wait');
  expect(passage(probed, 'd', due + 1)).toBe('probe'); // its worker died, and it comes again
  expect(passage(probed, 'e', (probed.probeUntil as number) + 1)).toBe('probe');
});

test('an attempt that fails keeps it open for twice as long, up to half a minute', () => {
  let c = opened;
  const lengths: number[] = [];
  for (let i = 0; i < 8; i++) {
    const at = c.probeAt as number;
    c = afterFailure(probing(c, 'd', at), failure('d', { startedAt: at }), at);
    lengths.push((c.probeAt as number) - at);
  }
  expect(lengths).toEqual([2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000]);
});

test('the beginning of a reply to the one attempt closes it, and nobody else does', () => {
  const probed = probing(opened, 'd', due);
  expect(isOpen(afterAnswer(probed, 'a', due))).toBe(true);
  expect(isOpen(afterReply(probed))).toBe(true); // of a call made before the trouble
  expect(passage(afterAnswer(probed, 'd', due), 'e', due)).toBe('free');
});

test('it stays open longer each time until a whole reply has come', () => {
  const closed = afterAnswer(probing(opened, 'd', due), 'd', due);
  const again = ['a', 'b', 'c'].reduce(
    (c, run) => afterFailure(c, failure(run, { startedAt: due + 1 }), due + 1),
    closed,
  );
  expect((again.probeAt as number) - (due + 1)).toBe(2000);
  const healed = afterReply(closed);
  const later = ['a', 'b', 'c'].reduce(
    (c, run) => afterFailure(c, failure(run, { startedAt: due + 1 }), due + 1),
    healed,
  );
  expect((later.probeAt as number) - (due + 1)).toBe(1000);
});

test('attempts that were made before it opened or closed say nothing about now', () => {
  expect(afterFailure(opened, failure('late'), due).probeAt).toBe(due);
  const closed = afterAnswer(probing(opened, 'd', due), 'd', due);
  expect(afterFailure(closed, failure('late', { startedAt: due - 1 }), due + 1)).toBe(closed);
});

test('an attempt that was stopped leaves its turn to another', () => {
  const probed = probing(opened, 'd', due);
  expect(passage(afterProbeGivenUp(probed, 'd'), 'e', due + 1)).toBe('probe');
  expect(afterProbeGivenUp(probed, 'e')).toBe(probed);
});

test('a thousand runs in line look again one after the other', () => {
  let c: Circuit = opened;
  const wakes = Array.from({ length: 1000 }, () => {
    const placed = inLine(c, due - 500);
    c = placed;
    return placed.wakeAt;
  });
  expect(wakes[0]).toBe(due);
  expect(wakes.slice(1).every((at, i) => at - (wakes[i] as number) === SPACING_MS)).toBe(true);
});

test('a clock that was set back by hours keeps nobody waiting for hours', () => {
  const hours = 5 * 3_600_000;
  expect(passage(opened, 'd', due - hours)).toBe('probe');
  expect(passage(probing(opened, 'd', due), 'e', due - hours)).toBe('probe');
  expect(inLine({ ...opened, wakeAt: due }, due - hours).wakeAt).toBe(due - hours);
});
