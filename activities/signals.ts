// What came as a Temporal signal: a message for the model, or something that could not be honoured.
import { Context } from '@temporalio/activity';
import { isClosed } from '../contracts/agentRun.js';
import { putContent } from '../db/contents.js';
import { appendEvents } from '../db/events.js';
import { queueMessage as insertQueuedMessage } from '../db/messages.js';
import { withTransaction } from '../db/pool.js';
import { lockRun } from '../db/runs.js';
import { sha256Hex } from '../harness/canonical.js';
import type { Deps } from './deps.js';

const actor = { kind: 'signal', id: 'temporal' } as const;

export async function queueMessage(deps: Deps, input: { agentRunId: string; content: string }): Promise<void> {
  const { info } = Context.current();
  // The same in every attempt of this activity, so that a message is queued once.
  const messageId = `msg_${sha256Hex(`${input.agentRunId}:${info.workflowExecution?.runId}:${info.activityId}`).slice(0, 26)}`;
  await withTransaction(deps.pool, async (tx) => {
    const run = await lockRun(tx, input.agentRunId);
    if (isClosed(run.status)) return;
    const contentHash = await putContent(tx, run.id, JSON.stringify([{ type: 'text', text: input.content }]));
    if (!(await insertQueuedMessage(tx, { id: messageId, agentRunId: run.id, contentHash }))) return;
    await appendEvents(tx, run, [{ type: 'message.queued', actor, data: { messageId, contentHash } }]);
  });
}

export interface IgnoredSignal {
  agentRunId: string;
  signal: string;
  reason: string;
}

export async function recordIgnoredSignal(deps: Deps, { agentRunId, signal, reason }: IgnoredSignal): Promise<void> {
  await withTransaction(deps.pool, async (tx) => {
    const run = await lockRun(tx, agentRunId);
    await appendEvents(tx, run, [{ type: 'signal.ignored', actor, data: { signal, reason: reason.slice(0, 300) } }]);
  });
}
