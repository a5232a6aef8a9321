// Lengths of time as people write them in agent files: 30s, 15m, 12h, 7d, 2w, 500ms.
import { z } from 'zod';

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

export const duration = z
  .string()
  .regex(/^[1-9]\d{0,8}(ms|s|m|h|d|w)$/, 'a length of time such as 30s, 15m, 12h or 7d');

/** Milliseconds of a string that `duration` accepted. */
export function durationMs(text: string): number {
  const match = /^(\d+)(ms|s|m|h|d|w)$/.exec(text);
  if (!match) throw new RangeError(`not a length of time: ${text}`);
  return Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
}
