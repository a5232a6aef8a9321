// The end of a run: every call settled, every question closed, one terminal event.
import type { CloseResult, RunOutcome } from '../contracts/agentRun.js';
import { isClosed } from '../contracts/agentRun.js';
import { type Actor, type NewEvent, systemActor } from '../contracts/events.js';
import { cancelPendingApprovals } from '../db/approvals.js';
import { releaseReservations } from '../db/budgets.js';
import { appendEvents } from '../db/events.js';
import { findModelCalls } from '../db/modelCalls.js';
import { hasQueuedMessages } from '../db/messages.js';
import { type PoolClient, withTransaction } from '../db/pool.js';
import { type LockedRun, type RunRow, lockRun, setRunEnded } from '../db/runs.js';
import { unsettledToolCalls } from '../db/toolCalls.js';
import { usdOf } from '../harness/limits/money.js';
import type { Deps } from './deps.js';
import { billLostAttempts } from './modelBill.js';
import { settle } from './recordToolResult.js';

export interface CloseRunInput {
  agentRunId: string;
  outcome: RunOutcome;
}

/**
 * Refuses to complete a run that has unread messages. Senders of messages hold the same lock, so a message is either
 * seen here or refused there; none is lost.
 */
export async function closeRun(deps: Deps, { agentRunId, outcome }: CloseRunInput): Promise<CloseResult> {
  return withTransaction(deps.pool, async (tx) => {
    const run = await lockRun(tx, agentRunId);
    if (isClosed(run.status)) return { closed: true };
    if (outcome.status === 'completed' && (await hasQueuedMessages(tx, agentRunId))) return { closed: false };
    await endRun(tx, run, outcome, 'worker');
    deps.conversations.forget(agentRunId);
    return { closed: true };
  });
}

/** Ends an open run that this transaction has locked. */
export async function endRun(tx: PoolClient, run: LockedRun, outcome: RunOutcome, by: string): Promise<void> {
  if (outcome.status !== 'completed') await billOpenStep(tx, run);
  await settleOpenCalls(tx, run, outcome);
  await cancelPendingApprovals(tx, run.id);
  if (run.inForce.budgets) await releaseReservations(tx, run.tenantId, run.id);
  await setRunEnded(tx, run.id, {
    status: outcome.status,
    ...(outcome.status === 'stopped' ? { stopReason: outcome.reason } : {}),
    ...(outcome.status === 'failed' ? { error: outcome.error } : {}),
  });
  await appendEvents(tx, run, [...limitEvent(run, outcome), terminalEvent(run, outcome, by)]);
}

/** No further attempt comes that would put a lost one on the bill. */
async function billOpenStep(tx: PoolClient, run: LockedRun): Promise<void> {
  const step = run.steps + 1;
  const call = (await findModelCalls(tx, run.id, step)).find((row) => row.step === step);
  await appendEvents(tx, run, billLostAttempts(tx, run, call), { progress: true });
}

/** A call without a result makes the conversation unusable, and this one may be resumed. */
async function settleOpenCalls(tx: PoolClient, run: RunRow, outcome: RunOutcome): Promise<void> {
  for (const call of await unsettledToolCalls(tx, run.id)) {
    const started = call.claimedAt !== null;
    const result =
      started && call.effect !== 'read'
        ? {
            outcome: 'unknown' as const,
            text: 'The run ended while this call was under way; what became of it is unknown.',
          }
        : { outcome: 'rejected' as const, text: `Not executed: the run was ${outcome.status} before this call ran.` };
    await settle(tx, run, call, result);
  }
}

function limitEvent(run: RunRow, outcome: RunOutcome): NewEvent[] {
  if (outcome.status !== 'stopped' || !outcome.reason.startsWith('limit_')) return [];
  return [{ type: 'limit.reached', actor: systemActor('worker'), step: run.steps, data: { limit: outcome.reason } }];
}

function terminalEvent(run: RunRow, outcome: RunOutcome, by: string): NewEvent {
  const totals = { steps: run.steps, toolCalls: run.toolCalls, costUsd: usdOf(run.costNanoUsd) };
  switch (outcome.status) {
    case 'completed':
      return { type: 'run.completed', actor: systemActor(by), data: totals };
    case 'stopped': {
      const { reason, detail } = outcome;
      const data = { ...totals, reason, ...(detail === undefined ? {} : { detail }) };
      return { type: 'run.stopped', actor: systemActor(by), data };
    }
    case 'failed':
      return { type: 'run.failed', actor: systemActor(by), data: { ...totals, error: outcome.error } };
    case 'cancelled': {
      const asked = run.cancelRequested;
      const who: Actor = asked?.by ?? { kind: 'signal', id: 'temporal' };
      const data = { ...totals, ...(asked?.reason === undefined ? {} : { reason: asked.reason }) };
      return { type: 'run.cancelled', actor: who, data };
    }
  }
}
