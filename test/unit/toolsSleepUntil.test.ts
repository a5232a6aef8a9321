// sleep_until: when the run wakes up, and how a model is told to ask properly.
import { sleepUntil, wakeTime } from '../../tools/builtIn/sleepUntil.js';
import { run, shown } from '../tools/context.js';

const NOW = Date.parse('2026-11-23T12:00:00Z');
const DAY = 86_400_000;

test.each<[object, string]>([
  [{ for: '90m' }, '2026-11-23T13:30:00Z'],
  [{ for: '2w' }, '2026-12-07T12:00:00Z'],
  [{ until: '2026-12-24T09:00:00Z' }, '2026-12-24T09:00:00Z'],
  [{ until: '2026-12-24T09:00:00.5+01:00' }, '2026-12-24T08:00:00.500Z'],
])('%j is a moment', (args, moment) => {
  expect(wakeTime(args, NOW)).toEqual({ ok: true, untilMs: Date.parse(moment) });
});

test('a moment that is over is now', () => {
  expect(wakeTime({ until: '2020-01-01T00:00:00Z' }, NOW)).toEqual({ ok: true, untilMs: NOW });
});

test('a year is the longest sleep', () => {
  expect(wakeTime({ for: '366d' }, NOW)).toEqual({ ok: true, untilMs: NOW + 366 * DAY });
  expect(wakeTime({ for: '367d' }, NOW)).toMatchObject({ ok: false });
  expect(wakeTime({ until: '9999-01-01T00:00:00Z' }, NOW)).toMatchObject({ ok: false });
});

test.each<[object, string]>([
  [{}, 'Give either until or for'],
  [{ until: '2026-12-24T09:00:00Z', for: '1h' }, 'Give either until or for'],
  [{ for: 'an hour' }, 'for: "an hour" is no length of time'],
  [{ for: '0s' }, 'is no length of time'],
  [{ until: 'tomorrow' }, 'until: give a moment with a time zone'],
  [{ until: '2026-12-24T09:00:00' }, 'until: give a moment with a time zone'],
  [{ until: '2026-02-30T09:00:00Z' }, 'until: give a moment with a time zone'],
])('%j is refused with how to ask', (args, message) => {
  expect(wakeTime(args, NOW)).toEqual({ ok: false, message: expect.stringContaining(message) });
});

test('waking up, the model is told the time', async () => {
  const before = Date.now();
  const { text } = shown(await run(sleepUntil, { for: '1s' }));
  const told = Date.parse(/^It is now (.*)\.$/.exec(text)?.[1] ?? '');
  expect(told).toBeGreaterThanOrEqual(before);
  expect(told).toBeLessThanOrEqual(Date.now());
});
