// Limits that a caller gives: only what the clock and whole nano-dollars can hold.
import type { LimitRow } from '../harness/runControl.js';
import { Problem } from './errors.js';

/** No run is planned further ahead than this, in milliseconds: ten years. */
export const MAX_AHEAD_MS = 10 * 365 * 86_400_000;

/** The same limits, once they are known to be storable. */
export function checkedLimits(limits: LimitRow, fromMs: number): LimitRow {
  const deadline = limits.deadline.getTime();
  if (!(deadline > fromMs)) throw refused('deadline', 'must lie after the start');
  if (deadline > fromMs + MAX_AHEAD_MS) throw refused('deadline', 'must lie within ten years');
  if (limits.maxCostNanoUsd > Number.MAX_SAFE_INTEGER) throw refused('maxCostUsd', 'must be below 9000000');
  return limits;
}

const refused = (field: string, message: string): Problem =>
  new Problem('invalid-request', `limits.${field} ${message}.`, { errors: [{ path: `limits.${field}`, message }] });
