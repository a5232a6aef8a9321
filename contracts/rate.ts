// How often something may happen, as people write it: 5/s, 60/m, 100/h, 1000/d.
import { z } from 'zod';

const UNIT_SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

export const rate = z.string().regex(/^[1-9]\d{0,6}\/(s|m|h|d)$/, 'a rate such as 5/s, 60/m, 100/h or 1000/d');

/** In an agent file: a rate, or one with the number of calls that may come at once (1 if not said). */
export const declaredRate = z.union([rate, z.strictObject({ rate, burst: z.int().min(1).max(1_000_000).optional() })]);
export type DeclaredRate = z.infer<typeof declaredRate>;

/** Calls per second of a string that `rate` accepted. */
export function perSecond(text: string): number {
  const match = /^(\d+)\/(s|m|h|d)$/.exec(text);
  if (!match) throw new RangeError(`not a rate: ${text}`);
  return Number(match[1]) / UNIT_SECONDS[match[2] as keyof typeof UNIT_SECONDS];
}

export const rateOf = (declared: DeclaredRate): { rate: string; burst: number } =>
  typeof declared === 'string' ? { rate: declared, burst: 1 } : { rate: declared.rate, burst: declared.burst ?? 1 };
