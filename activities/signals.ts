// What came as Temporal signals: messages for the model, and what could not be honoured.
import { Context } from '@temporalio/activity';
import { isClosed } from '../contracts/agentRun.js';
import type { NewEvent } from '../contracts/events.js';
import { putContent } from '../db/contents.js';
import { appendEvents, writtenSignals } from '../db/events.js';
import { queueMessage as insertQueuedMessage } from '../db/messages.js';
import { type PoolClient, withTransaction } from '../db/pool.js';
import { type RunRow, lockRun } from '../db/runs.js';
import { sha256Hex } from '../harness/canonical.js';
import type { Deps } from './deps.js';

const actor = { kind: 'signal', id: 'temporal' } as const;

export interface RecordSignalsInput {
  agentRunId: string;
  signals: ({ content: string } | { ignored: string; reason: string })[];
}

/** In the order in which they came. A second attempt adds nothing. */
export async function recordSignals(deps: Deps, { agentRunId, signals }: RecordSignalsInput): Promise<void> {
  await withTransaction(deps.pool, async (tx) => {
    const run = await lockRun(tx, agentRunId);
    if (isClosed(run.status)) return;
    const written = Context.current().info.attempt > 1 ? await writtenSignals(tx, run.id) : new Set<string>();
    const events: NewEvent[] = [];
    for (const [i, signal] of signals.entries()) {
      const id = signalIdOf(i);
      if ('content' in signal) events.push(...(await messageEvent(tx, run, signal.content, `msg_${id}`)));
      else if (!written.has(id)) events.push(ignoredEvent(signal.ignored, signal.reason, id));
    }
    await appendEvents(tx, run, events);
  });
}

/** Of runs that were open before signals were written down together. */
export async function queueMessage(deps: Deps, input: { agentRunId: string; content: string }): Promise<void> {
  await withTransaction(deps.pool, async (tx) => {
    const run = await lockRun(tx, input.agentRunId);
    if (isClosed(run.status)) return;
    await appendEvents(tx, run, await messageEvent(tx, run, input.content, `msg_${signalIdOf()}`));
  });
}

export interface IgnoredSignal {
  agentRunId: string;
  signal: string;
  reason: string;
}

/** Of runs that were open before signals were written down together. */
export async function recordIgnoredSignal(deps: Deps, { agentRunId, signal, reason }: IgnoredSignal): Promise<void> {
  await withTransaction(deps.pool, async (tx) => {
    await appendEvents(tx, await lockRun(tx, agentRunId), [ignoredEvent(signal, reason)]);
  });
}

async function messageEvent(tx: PoolClient, run: RunRow, content: string, messageId: string): Promise<NewEvent[]> {
  const contentHash = await putContent(tx, run.id, JSON.stringify([{ type: 'text', text: content }]));
  const isNew = await insertQueuedMessage(tx, { id: messageId, agentRunId: run.id, contentHash });
  return isNew ? [{ type: 'message.queued', actor, data: { messageId, contentHash } }] : [];
}

const ignoredEvent = (signal: string, reason: string, signalId = signalIdOf()): NewEvent => ({
  type: 'signal.ignored',
  actor,
  data: { signal, reason: reason.slice(0, 300), signalId },
});

/** The same in every attempt of this activity, so that a signal is written down once. */
function signalIdOf(position = 0): string {
  const { activityId, workflowExecution } = Context.current().info;
  const of = `${workflowExecution?.workflowId}:${workflowExecution?.runId}:${activityId}`;
  return sha256Hex(position === 0 ? of : `${of}:${position}`).slice(0, 26);
}
