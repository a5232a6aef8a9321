// Ends a run's work at its deadline, which may be moved while it runs.
import { CancellationScope, condition, isCancellation } from '@temporalio/workflow';
import type { RunOutcome } from '../contracts/agentRun.js';
import type { RunState } from './runState.js';

export async function withDeadline(run: RunState, work: () => Promise<RunOutcome>): Promise<RunOutcome> {
  const scope = new CancellationScope();
  const state = { done: false };
  let passed = false;
  const watch = async (): Promise<void> => {
    while (!state.done) {
      const { deadlineMs } = run.control.limits;
      const left = deadlineMs - Date.now();
      if (left <= 0) {
        passed = true;
        scope.cancel();
        return;
      }
      const moved = () => state.done || run.control.limits.deadlineMs !== deadlineMs;
      await condition(moved, left, { summary: 'deadline of the run' });
    }
  };
  // A cancellation from outside ends the watch as well; the work reports it.
  const watching = watch().catch((err: unknown) => {
    if (!isCancellation(err)) throw err;
  });
  try {
    return await scope.run(work);
  } catch (err) {
    if (passed && isCancellation(err)) return { status: 'stopped', reason: 'limit_time' };
    throw err;
  } finally {
    state.done = true;
    await watching;
  }
}
