// Where PostgreSQL's log of a step goes, by table and index: for finding what to cut, not for comparison.
import { newKey } from '../benchRun.js';
import type { WalOfRelation } from '../measure/postgres.js';
import type { Part } from './part.js';

export interface WalBreakdownResult {
  steps: number;
  relations: WalOfRelation[];
}

const STEPS = 300;

export const walBreakdown: Part<WalBreakdownResult> = {
  what: "* PostgreSQL's log of a step of Longhaul, by table and index",
  onRequest: true,
  async measure({ calls, longhaul, postgres }, _settings, say) {
    const run = { key: newKey('x'), steps: STEPS + 20 };
    await longhaul.start(run);
    await calls.reached(run.key, 20); // pages that a checkpoint made expensive have been touched by now
    const from = await postgres.walPosition();
    await calls.reached(run.key, 20 + STEPS);
    const to = await postgres.walPosition();
    await longhaul.ended(run);
    const relations = await postgres.walByRelation(from, to);
    for (const r of relations) {
      const perStep = (n: number): string => (n / STEPS).toFixed(n / STEPS < 10 ? 1 : 0).padStart(6);
      say(
        `${perStep(r.bytes)} B  ${perStep(r.fullPageBytes)} B pages  ${perStep(r.records)} ×  ${r.relation} ${r.kind}`,
      );
    }
    return { steps: STEPS, relations };
  },
};
