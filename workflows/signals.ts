// Signals that have to be written down: messages, and what could not be honoured. Nobody can be told to send fewer.
import { CancellationScope, condition, patched } from '@temporalio/workflow';
import type { ReceivedSignal } from '../contracts/agentRun.js';
import { queueMessage, recordIgnoredSignal, recordSignals } from './activityProxies.js';
import { handOverIsDue } from './handOver.js';
import type { RunState } from './runState.js';

/** Signals of one activity, and characters: as many small ones as fit well into its input. */
const BATCH = 100;
const BATCH_CHARACTERS = 200_000;
/** A hand-over takes along what is not written down yet, up to so many characters. */
const MAX_CARRIED_CHARACTERS = 400_000;

export async function writeDown(run: RunState, signal: ReceivedSignal): Promise<void> {
  // Remove once no run is open that has a signal written down in an activity of its own.
  if (!patched('signals-in-batches')) return writeDownAlone(run, signal);
  run.inbox.push(signal);
  if (run.inbox.length === 1) void emptyInbox(run); // whoever came first writes for all that come meanwhile
}

/** Not a handler's own work, and not cancelled with the run: a run keeps what it was told. */
export async function emptyInbox(run: RunState): Promise<void> {
  await CancellationScope.nonCancellable(async () => {
    while (run.inbox.length > 0) {
      await condition(() => !mayWait(run));
      const batch = firstOf(run.inbox);
      await run.underWay(() => recordSignals({ agentRunId: run.agentRunId, signals: batch }));
      run.inbox.splice(0, batch.length);
    }
  });
}

export async function allWrittenDown(run: RunState): Promise<void> {
  if (run.inbox.length > 0) await condition(() => run.inbox.length === 0);
}

/** With a hand-over due each signal costs one event and no activity: the next Temporal run writes it down. */
function mayWait(run: RunState): boolean {
  const due = handOverIsDue(run) && run.phase !== 'closing';
  return due && charactersOf(run.inbox) < MAX_CARRIED_CHARACTERS;
}

const lengthOf = (signal: ReceivedSignal): number => ('content' in signal ? signal.content : signal.reason).length;
const charactersOf = (signals: readonly ReceivedSignal[]): number => signals.reduce((sum, s) => sum + lengthOf(s), 0);

/** At least one. */
function firstOf(inbox: readonly ReceivedSignal[]): ReceivedSignal[] {
  let characters = 0;
  const end = inbox.findIndex((signal, i) => {
    characters += lengthOf(signal);
    return i > 0 && (i === BATCH || characters > BATCH_CHARACTERS);
  });
  return inbox.slice(0, end === -1 ? undefined : end);
}

async function writeDownAlone(run: RunState, signal: ReceivedSignal): Promise<void> {
  const { agentRunId } = run;
  await run.underWay(() =>
    'content' in signal
      ? queueMessage({ agentRunId, content: signal.content })
      : recordIgnoredSignal({ agentRunId, signal: signal.ignored, reason: signal.reason }),
  );
}
