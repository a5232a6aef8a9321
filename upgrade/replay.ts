// Replays one history on a workflow bundle and finds the first event that this code would not have made.
import { Worker } from '@temporalio/worker';
import { describeEvent, firstDivergingEvent, inWords } from './divergence.js';
import type { History } from './openHistories.js';

export interface Divergence {
  /** null where even the first task of the run fails. */
  event: { id: number; type: string; what: string } | null;
  /** What is different, in a sentence. */
  reason: string;
  /** As the SDK says it. */
  error: string;
}

export interface Replayer {
  /** undefined: it replays. */
  replay(history: History, workflowId: string): Promise<Divergence | undefined>;
}

export function createReplayer(codePath: string): Replayer {
  const run = async (history: History, workflowId: string): Promise<Error | undefined> => {
    try {
      await Worker.runReplayHistory({ workflowBundle: { codePath } }, history, workflowId);
      return undefined;
    } catch (err) {
      return err as Error;
    }
  };
  return {
    async replay(history, workflowId) {
      const error = await run(history, workflowId);
      if (!error) return undefined;
      const upTo = await shortestThatFails(history, async (part) => (await run(part, workflowId)) !== undefined);
      const event = firstDivergingEvent(upTo, error.message);
      return {
        event: event ? { id: Number(event.eventId), ...describeEvent(event) } : null,
        reason: inWords(error.message, event),
        error: error.message,
      };
    },
  };
}

/** The history up to the first workflow task at which the replay fails: halves what is in question each time. */
async function shortestThatFails(history: History, fails: (part: History) => Promise<boolean>): Promise<History> {
  const events = history.events ?? [];
  const ends = events.flatMap((event, i) => (event.workflowTaskStartedEventAttributes ? [i + 1] : []));
  let good = 0;
  let bad = ends.length - 1;
  const upTo = (n: number): History => ({ events: events.slice(0, ends[n]) });
  if (bad < 0 || !(await fails(upTo(bad)))) return history; // it breaks after its last task: at its end
  while (good < bad) {
    const middle = (good + bad) >> 1;
    if (await fails(upTo(middle))) bad = middle;
    else good = middle + 1;
  }
  return upTo(good);
}
