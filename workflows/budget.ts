// Waits for a budget or a rate. A raised limit is told by a signal; the timer is for those that end by themselves.
import { condition } from '@temporalio/workflow';
import type { RunState } from './runState.js';
import { showStatus } from './status.js';

export interface BudgetWait {
  untilMs: number;
  what: string;
  /** How many changes of limits had been told when it was asked: one that came since is not waited for. */
  seen: number;
  /** A pause ends the wait. */
  orPause?: boolean;
}

export async function waitForBudget(
  run: RunState,
  { untilMs, what, seen, orPause = false }: BudgetWait,
): Promise<void> {
  showStatus(run, 'waiting');
  const isOver = (): boolean => run.limitChanges !== seen || (orPause && run.paused);
  await condition(isOver, Math.max(1, untilMs - Date.now()), { summary: `budget or rate of ${what}` });
  showStatus(run, 'running');
}
