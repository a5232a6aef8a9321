// From a run's row to what its workflow needs to know: limits as numbers, and what counts against them.
import type { AgentDefinition } from '../contracts/agent.js';
import type { ControlLimits, LimitsBody, RunControl, Used } from '../contracts/agentRun.js';
import { durationMs } from '../contracts/duration.js';
import { nanoUsd } from './limits/money.js';

export interface LimitRow {
  maxSteps: number;
  maxTokens: number;
  maxCostNanoUsd: number;
  maxToolCalls: number;
  deadline: Date;
}

/** The limits of a new run: the caller's where given, else the agent's. The deadline counts from `fromMs`. */
export function limitsOfNewRun(definition: AgentDefinition, asked: LimitsBody | undefined, fromMs: number): LimitRow {
  const { limits } = definition;
  return applyLimits(
    {
      maxSteps: limits.maxSteps,
      maxTokens: limits.maxTokens,
      maxCostNanoUsd: nanoUsd(limits.maxCostUsd),
      maxToolCalls: limits.maxToolCalls,
      deadline: new Date(fromMs + durationMs(limits.deadline)),
    },
    asked,
    fromMs,
  );
}

/** Replaces what the caller gave. A deadline given as a length of time counts from `nowMs`. */
export function applyLimits(current: LimitRow, asked: LimitsBody | undefined, nowMs: number): LimitRow {
  return {
    maxSteps: asked?.maxSteps ?? current.maxSteps,
    maxTokens: asked?.maxTokens ?? current.maxTokens,
    maxCostNanoUsd: asked?.maxCostUsd === undefined ? current.maxCostNanoUsd : nanoUsd(asked.maxCostUsd),
    maxToolCalls: asked?.maxToolCalls ?? current.maxToolCalls,
    deadline: asked?.deadline === undefined ? current.deadline : momentOf(asked.deadline, nowMs),
  };
}

function momentOf(text: string, nowMs: number): Date {
  return /^\d+[a-z]+$/.test(text) ? new Date(nowMs + durationMs(text)) : new Date(text);
}

export const controlLimitsOf = (row: LimitRow): ControlLimits => ({
  maxSteps: row.maxSteps,
  maxTokens: row.maxTokens,
  maxCostNanoUsd: row.maxCostNanoUsd,
  maxToolCalls: row.maxToolCalls,
  deadlineMs: row.deadline.getTime(),
});

/**
 * Some 70 steps, and a third of a second of CPU to replay them after a crash. Temporal suggests it at 4,096 (1.8.2), which
 * many runs at once on few cores cannot replay within a workflow task's time.
 */
const HAND_OVER_EVENTS = 1000;

export function runControlOf(
  run: LimitRow & { agentName: string; tenantId: string; startAt: Date | null },
  definition: AgentDefinition,
  used: Used,
): RunControl {
  return {
    agentName: run.agentName,
    tenantId: run.tenantId,
    limits: controlLimitsOf(run),
    used,
    parallelTools: definition.limits.parallelTools,
    // A signal has no authenticated sender, so it cannot stand for a second person.
    signalsDecide:
      definition.approvals.signals &&
      !definition.approvals.separationOfDuty &&
      (definition.approvals.approvers ?? 1) === 1,
    ...(run.startAt === null ? {} : { startAtMs: run.startAt.getTime() }),
    ...(definition.mcp === undefined ? {} : { mcp: true as const }),
    handOverEvents: HAND_OVER_EVENTS,
  };
}
