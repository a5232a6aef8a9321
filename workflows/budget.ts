// Waits for a budget or a rate. A raised limit is told by a signal; the timer is for those that end by themselves.
import { condition } from '@temporalio/workflow';
import type { RunState } from './runState.js';
import { showStatus } from './status.js';

export async function waitForBudget(
  run: RunState,
  { untilMs, what, orPause = false }: { untilMs: number; what: string; orPause?: boolean },
): Promise<void> {
  showStatus(run, 'waiting');
  const before = run.limitChanges;
  const isOver = (): boolean => run.limitChanges !== before || (orPause && run.paused);
  await condition(isOver, Math.max(1, untilMs - Date.now()), { summary: `budget or rate of ${what}` });
  showStatus(run, 'running');
}
