// Before a call is made: is there budget for it, and room in its rates? Asked under the run's lock.
import { type DeclaredRate, rateOf } from '../contracts/rate.js';
import type { ToolDefinition } from '../contracts/tools.js';
import { type Account, type ShortBudget, reserveModelCall, spendToolCall } from '../db/budgets.js';
import type { PoolClient } from '../db/pool.js';
import { type DeclaredBucket, type RateSubject, takeRate } from '../db/rates.js';
import type { LockedRun, RunRow } from '../db/runs.js';
import { costNanoUsd } from '../providers/prices.js';
import type { RunAgent } from './agentCache.js';
import type { Hold } from './holds.js';

/** Others' calls under way may give something back when they end: asked again after this, later on after that. */
const CONTENDED_MS = 700;
const CONTENDED_REST_MS = 5000;
/** A budget that is used up is looked at again after this at the latest, should the word of a top-up get lost. */
const EXHAUSTED_MS = 10 * 60_000;

export const accountOf = (run: RunRow): Account => ({
  tenantId: run.tenantId,
  agentName: run.agentName,
  rootRunId: run.rootRunId ?? run.id,
});

export interface ModelCallAdmission {
  agent: RunAgent;
  step: number;
  /** Of the request. */
  bytes: number;
  queued: boolean;
}

/** Undefined: it may be made. What it can cost at most is reserved until the reply is stored. */
export async function admitModelCall(
  tx: PoolClient,
  run: LockedRun,
  { agent, step, bytes, queued }: ModelCallAdmission,
): Promise<Hold | undefined> {
  const { model, maxOutputTokens, rate } = agent.definition;
  if (run.inForce.budgets) {
    const account = { ...accountOf(run), model };
    const atMost = mostOf(model, bytes, maxOutputTokens);
    const short = await reserveModelCall(tx, account, { agentRunId: run.id, step, atMost });
    if (short.length > 0) return holdOf(short);
  }
  const subjects: RateSubject[] = [
    { scope: 'tenant', subject: 'all' },
    { scope: 'agent', subject: run.agentName },
    { scope: 'model', subject: model },
  ];
  return throttle(tx, run, subjects, declared('agent', run.agentName, rate), queued);
}

/** Undefined: it may be made. `first`: it is counted; another attempt is the same call. */
export async function admitToolCall(
  tx: PoolClient,
  run: LockedRun,
  { tool, first, queued }: { tool: ToolDefinition; first: boolean; queued: boolean },
): Promise<Hold | undefined> {
  const own = `${run.agentName}/${tool.name}`;
  const subjects: RateSubject[] = [
    { scope: 'tool', subject: tool.name },
    { scope: 'tool', subject: own },
  ];
  const held = await throttle(tx, run, subjects, declared('tool', own, tool.rate), queued);
  if (held || !first || !run.inForce.budgets) return held;
  const short = await spendToolCall(tx, { ...accountOf(run), tool: tool.name });
  return short.length > 0 ? holdOf(short) : undefined;
}

const declared = (scope: 'agent' | 'tool', subject: string, rate: DeclaredRate | undefined): DeclaredBucket[] =>
  rate === undefined ? [] : [{ scope, subject, ...rateOf(rate) }];

async function throttle(
  tx: PoolClient,
  run: LockedRun,
  subjects: readonly RateSubject[],
  buckets: readonly DeclaredBucket[],
  queued: boolean,
): Promise<Hold | undefined> {
  if (!run.inForce.rates && buckets.length === 0) return undefined;
  const taken = await takeRate(tx, run.tenantId, { subjects, declared: buckets, queued });
  if (taken.ok) return undefined;
  const account = `${taken.scope}/${taken.subject}`;
  return {
    kind: 'hold',
    limit: 'rate',
    account,
    waitMs: taken.waitMs,
    until: new Date(Date.now() + taken.waitMs),
    reason: `the rate of ${account} is ${taken.rate}`,
  };
}

/**
 * More than a request of so many bytes can cost: tokens have two bytes or more where it is long, and every one of them
 * is written to the cache, which is the dearest.
 */
function mostOf(model: string, bytes: number, maxOutputTokens: number): { costNanoUsd: number; tokens: number } {
  const input = Math.ceil(bytes / 2);
  const usage = { inputTokens: 0, outputTokens: maxOutputTokens, cacheReadTokens: 0, cacheWriteTokens: input };
  return { costNanoUsd: costNanoUsd(model, usage), tokens: input + maxOutputTokens };
}

function holdOf(short: readonly ShortBudget[]): Hold {
  const exhausted = short.filter((budget) => budget.exhausted);
  const [first] = exhausted.length > 0 ? exhausted : short;
  if (!first) throw new Error('no budget is short');
  const account = `${first.scope}/${first.subject}/${first.period}`;
  if (exhausted.length === 0) {
    const reason = `calls under way hold the rest of the budget ${account} (${first.dimension})`;
    const spread = 1 + Math.random(); // so that not all come back at once
    const [waitMs, restMs] = [CONTENDED_MS * spread, CONTENDED_REST_MS * spread];
    return { kind: 'hold', limit: 'budget', account, waitMs, restMs, reason };
  }
  const ends = exhausted.map((budget) => budget.endsAt);
  const last = ends.every((end) => end !== null) ? new Date(Math.max(...ends.map(Number))) : undefined;
  return {
    kind: 'hold',
    limit: 'budget',
    account,
    waitMs: Math.min(EXHAUSTED_MS, last === undefined ? Infinity : Math.max(1, last.getTime() - Date.now())),
    ...(last === undefined ? {} : { until: last }),
    reason: `the budget ${account} is used up (${first.dimension}); ${remedy(first)}`,
  };
}

const remedy = ({ scope, subject, period }: ShortBudget): string =>
  scope === 'run' ? `longhaul budget topup run ${subject}` : `longhaul budget topup ${scope} ${subject} ${period}`;
