// Waits that are neither for a model nor for an approval: a timer, a pause.
import { isClosed, type ToolCallInput, type Waiting } from '../contracts/agentRun.js';
import { systemActor } from '../contracts/events.js';
import { appendEvents } from '../db/events.js';
import { withTransaction } from '../db/pool.js';
import { lockRun, setRunRunning, setRunStatus } from '../db/runs.js';
import type { Deps } from './deps.js';

/** The run sleeps; nothing else of it is under way unless it waits for people already. */
export async function recordWait(deps: Deps, input: ToolCallInput & { untilMs: number }): Promise<void> {
  await withTransaction(deps.pool, async (tx) => {
    const run = await lockRun(tx, input.agentRunId);
    if (isClosed(run.status)) return;
    const until = new Date(input.untilMs).toISOString();
    if (run.waiting?.for === 'timer' && run.waiting.until === until) return; // a second attempt
    const waiting: Waiting = { for: 'timer', since: new Date().toISOString(), until };
    if (run.status !== 'waiting') await setRunStatus(tx, run.id, 'waiting', waiting);
    await appendEvents(tx, run, [
      {
        type: 'run.waiting',
        actor: systemActor('worker'),
        step: input.step,
        toolCallId: input.toolCallId,
        data: { ...waiting },
      },
    ]);
  });
}

export interface RecordPauseInput {
  agentRunId: string;
  paused: boolean;
  /** Id of the key that asked. */
  by: string;
}

export async function recordPause(deps: Deps, { agentRunId, paused, by }: RecordPauseInput): Promise<void> {
  await withTransaction(deps.pool, async (tx) => {
    const run = await lockRun(tx, agentRunId);
    if (isClosed(run.status) || (run.status === 'paused') === paused) return;
    if (paused) await setRunStatus(tx, run.id, 'paused');
    else await setRunRunning(tx, run.id);
    await appendEvents(tx, run, [
      { type: paused ? 'run.paused' : 'run.resumed', actor: { kind: 'key', id: by }, data: {} },
    ]);
  });
}
