// The end of an undo: the log says what was taken back and what was not, and a run that may go on is told.
import { systemActor } from '../contracts/events.js';
import { putContent } from '../db/contents.js';
import { appendEvents } from '../db/events.js';
import { queueMessage } from '../db/messages.js';
import { withTransaction } from '../db/pool.js';
import { lockRun } from '../db/runs.js';
import { callsWithEffect, compensationsOf, finishUndo as finish, lastUndo } from '../db/undos.js';
import { messageIdOf } from '../harness/ids.js';
import { oneLine } from '../harness/policy/summary.js';
import type { Deps } from './deps.js';

export async function finishUndo(deps: Deps, input: { agentRunId: string; number: number }): Promise<void> {
  await withTransaction(deps.pool, async (tx) => {
    const run = await lockRun(tx, input.agentRunId);
    const undo = await lastUndo(tx, run.id);
    if (undo?.number !== input.number || !(await finish(tx, run.id, input.number))) return;
    const ended = (await compensationsOf(tx, run.id)).filter((c) => c.number === input.number);
    const calls = await callsWithEffect(tx, run.id);
    const of = (outcome: 'undone' | 'failed'): string[] =>
      ended.filter((c) => (c.outcome ?? 'failed') === outcome).map((c) => c.toolCallId);
    const begun = new Set(ended.map((c) => c.toolCallId));
    const failed = [...of('failed'), ...undo.toolCallIds.filter((id) => !begun.has(id))];
    const data = { undo: input.number, undone: of('undone'), failed };
    const actor = systemActor(deps.workerId);
    await appendEvents(tx, run, [{ type: 'undo.finished', actor, data }]);
    if (run.status !== 'stopped' && run.status !== 'failed') return;
    // A resume may follow, and the model must not count on what is gone.
    const named = (ids: readonly string[]): string =>
      ids.map((id) => `${oneLine(calls.find((c) => c.id === id)?.tool ?? 'a call')} (${id})`).join(', ');
    const text = [
      data.undone.length === 0 ? '' : `A person had these calls of yours taken back: ${named(data.undone)}.`,
      failed.length === 0 ? '' : `Taking these back was tried and failed: ${named(failed)}.`,
    ];
    const content = JSON.stringify([{ type: 'text', text: text.filter(Boolean).join(' ') }]);
    const contentHash = await putContent(tx, run.id, content);
    const messageId = messageIdOf(run.id, `undo:${input.number}`);
    await queueMessage(tx, { id: messageId, agentRunId: run.id, contentHash });
    await appendEvents(tx, run, [{ type: 'message.queued', actor, data: { messageId, contentHash } }]);
  });
}
