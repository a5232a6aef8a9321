// What model calls cost: an attempt is on the bill whether it brought a reply, failed, or was lost with its worker.
import { type Usage, addUsage, noUsage, subtractUsage, totalTokens } from '../contracts/conversation.js';
import { type NewEvent, systemActor } from '../contracts/events.js';
import { type ModelCallRow, chargeAttempt, chargeLostAttempts } from '../db/modelCalls.js';
import { type PoolClient, atCommit } from '../db/pool.js';
import { chargeBudgets } from '../db/budgets.js';
import { noteBill } from '../db/runProgress.js';
import type { LockedRun } from '../db/runs.js';
import { usdOf } from '../harness/limits/money.js';
import { costNanoUsd } from '../providers/prices.js';
import { accountOf } from './admission.js';

export interface Bill {
  usage: Usage;
  costNanoUsd: number;
  /** The attempt counts as a model call already. */
  counted: boolean;
}

/** What an attempt that has ended still owes: all it cost, less what is charged, as when it was taken for lost. */
export function owedBy(call: Pick<ModelCallRow, 'model' | 'chargedUsage'>, attempt: number, usage: Usage): Bill {
  const paid = call.chargedUsage?.[attempt];
  return {
    usage: subtractUsage(usage, paid ?? noUsage),
    costNanoUsd: costNanoUsd(call.model, usage) - (paid ? costNanoUsd(call.model, paid) : 0),
    counted: paid !== undefined,
  };
}

/** Of an attempt without a reply. The caller appends an event with `progress`, which writes the run's part of it. */
export function billAttempt(
  tx: PoolClient,
  run: LockedRun,
  call: ModelCallRow,
  attempt: number,
  billed: Usage = noUsage,
): { usage?: Usage; costUsd?: string } {
  const usage = totalTokens(billed) > 0 ? billed : (call.openUsage?.[attempt] ?? call.chargedUsage?.[attempt]);
  if (!usage) return {};
  const owed = owedBy(call, attempt, usage);
  atCommit(tx, chargeAttempt(tx, run.id, call.step, attempt, { usage, owed }));
  noteBill(run, owed);
  chargeRun(tx, run, call, owed);
  return { usage, costUsd: usdOf(costNanoUsd(call.model, usage)) };
}

/**
 * Attempts whose worker died or stands still in them: what their replies had cost when they began is charged. Call
 * before another attempt is made, and append what is returned with `progress`.
 */
export function billLostAttempts(tx: PoolClient, run: LockedRun, call: ModelCallRow | undefined): NewEvent[] {
  const lost = Object.entries(call?.openUsage ?? {});
  if (!call || lost.length === 0) return [];
  const bills = lost.map(([attempt, usage]) => ({
    attempt,
    usage,
    costNanoUsd: costNanoUsd(call.model, usage),
    counted: false,
  }));
  const costs = bills.reduce((sum, bill) => sum + bill.costNanoUsd, 0);
  const usages = bills.reduce((sum, bill) => addUsage(sum, bill.usage), noUsage);
  atCommit(tx, chargeLostAttempts(tx, run.id, call.step, { usage: usages, costNanoUsd: costs }));
  for (const bill of bills) noteBill(run, bill);
  chargeRun(tx, run, call, { usage: usages, costNanoUsd: costs });
  return bills.map((bill) => ({
    type: 'model.failed',
    actor: systemActor('worker'),
    step: call.step,
    data: {
      type: 'AttemptLost',
      message: 'the worker that asked is gone; its reply had begun and is on the bill',
      attempt: Number(bill.attempt),
      usage: bill.usage,
      costUsd: usdOf(bill.costNanoUsd),
    },
  }));
}

/** Attempts without a reply are on the budgets too; what is reserved for the call stays for the next one. */
function chargeRun(
  tx: PoolClient,
  run: LockedRun,
  call: ModelCallRow,
  bill: Pick<Bill, 'usage' | 'costNanoUsd'>,
): void {
  if (!run.inForce.budgets) return;
  const used = { costNanoUsd: bill.costNanoUsd, tokens: totalTokens(bill.usage), steps: 0 };
  const account = { ...accountOf(run), model: call.model };
  atCommit(tx, chargeBudgets(tx, account, { agentRunId: run.id, step: call.step, used, done: false }));
}
