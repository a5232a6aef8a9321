// Continue-as-new, so that no history grows without bound: between steps, or in any wait of a run, however long it is.
import { CancellationScope, allHandlersFinished, condition, continueAsNew, workflowInfo } from '@temporalio/workflow';
import type { AgentRunInput, RunOutcome } from '../contracts/agentRun.js';
import type { RunState } from './runState.js';

/** By Temporal, or because whoever takes the run over after a crash replays all of its history at once. */
export function handOverIsDue({ control }: RunState): boolean {
  const { continueAsNewSuggested, historyLength } = workflowInfo();
  return continueAsNewSuggested || historyLength >= (control.handOverEvents ?? Infinity);
}

/** Works, and goes on as a new Temporal run as soon as that is due and nothing of the run is under way. */
export async function handingOver<T>(run: RunState, work: () => Promise<T>): Promise<T> {
  const root = CancellationScope.current();
  let done = false;
  const mayLeave = (): boolean =>
    handOverIsDue(run) && run.atRest && !done && allHandlersFinished() && !root.consideredCancelled;
  const leave = async (): Promise<never> => {
    for (;;) {
      await CancellationScope.nonCancellable(() => condition(mayLeave));
      // Asked again: a timer, an update or a cancellation may have come with the same task.
      if (mayLeave()) await continueAsNew<(input: AgentRunInput) => Promise<RunOutcome>>(run.leave());
    }
  };
  try {
    return await Promise.race([work(), leave()]);
  } finally {
    done = true;
  }
}

/** Between two steps: every message is stored before the model is asked, and a run that is to be handed over rests. */
export async function stepBoundary(run: RunState): Promise<void> {
  const mayGoOn = (): boolean => !handOverIsDue(run) && run.inbox.length === 0;
  if (!mayGoOn()) await condition(mayGoOn);
}
