// What housekeeping did last, as the API tells it.
import { z } from 'zod';

export const sweepState = z.object({
  name: z.string(),
  /** The host, of a sweep that looks after a disk of its own. */
  host: z.string().optional(),
  what: z.string(),
  everySeconds: z.number(),
  /** Absent: it has not run yet. */
  lastRunAt: z.iso.datetime().optional(),
  tookMs: z.number().int().optional(),
  /** Why the last run failed. */
  error: z.string().optional(),
  /** The last time that there was something to do; findings are the first of them. */
  lastFound: z.object({ at: z.iso.datetime(), count: z.number().int(), findings: z.array(z.string()) }).optional(),
});
export type SweepState = z.infer<typeof sweepState>;
