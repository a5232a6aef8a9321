// sleep_until: the run waits on a durable timer and holds no worker.
import { z } from 'zod';
import { duration, durationMs } from '../../contracts/duration.js';
import { defineTool } from '../defineTool.js';

/** Longest sleep, in milliseconds: a year. A run has a deadline as well. */
const MAX_SLEEP_MS = 366 * 86_400_000;

export const sleepUntil = defineTool({
  name: 'sleep_until',
  description: 'Do nothing until a moment, or for a length of time, then go on. Costs nothing while it waits.',
  input: z.strictObject({
    until: z.string().optional().describe('A moment with a time zone, such as 2026-12-24T09:00:00Z'),
    for: z.string().optional().describe('A length of time, such as 30s, 15m, 12h or 7d'),
  }),
  effect: 'read',
  labels: ['trusted'],
  controls: ['until', 'for'],
  execute: () => `It is now ${new Date().toISOString()}.`,
});

export type WakeTime = { ok: true; untilMs: number } | { ok: false; message: string };

/** When to wake up; `message` tells the model how to ask properly. */
export function wakeTime(args: unknown, nowMs: number): WakeTime {
  const { until, for: length } = args as { until?: string; for?: string };
  if ((until === undefined) === (length === undefined)) return { ok: false, message: 'Give either until or for.' };
  let untilMs: number;
  if (length !== undefined) {
    if (!duration.safeParse(length).success) {
      return { ok: false, message: `for: ${JSON.stringify(length)} is no length of time such as 30s, 15m, 12h or 7d.` };
    }
    untilMs = nowMs + durationMs(length);
  } else {
    if (!z.iso.datetime({ offset: true }).safeParse(until).success) {
      return { ok: false, message: 'until: give a moment with a time zone, such as 2026-12-24T09:00:00Z.' };
    }
    untilMs = Date.parse(until as string);
  }
  return untilMs - nowMs > MAX_SLEEP_MS
    ? { ok: false, message: 'That is more than a year away; sleep for less.' }
    : { ok: true, untilMs: Math.max(untilMs, nowMs) };
}
