// The updates, signals and queries of an agent run: defined once, for the handler and for every client.
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { ApprovalDecision, ControlLimits, PendingApproval, Used } from '../contracts/agentRun.js';
import type { Decision } from '../contracts/decisions.js';

/** Updates: the caller needs to know whether it was taken. Refused ones leave no trace in history. */
export const decideApproval = defineUpdate<{ status: string }, [ApprovalDecision]>('decideApproval');
export const pause = defineUpdate<void, [{ by: string }]>('pause');
export const resume = defineUpdate<void, [{ by: string; limits?: ControlLimits }]>('resume');
export const raiseLimits = defineUpdate<void, [ControlLimits]>('raiseLimits');

/** Signals of the same effect, for Temporal's UI and `temporal workflow signal`. */
export interface ApprovalSignal {
  approvalId: string;
  argumentsDigest?: string;
  message?: string;
}
export const approve = defineSignal<[ApprovalSignal]>('approve');
export const reject = defineSignal<[ApprovalSignal]>('reject');
/** Any decision: `{"approvalId": "apr_…", "decision": "respond", "message": "…"}`. */
export interface DecisionSignal extends ApprovalSignal {
  decision: Decision;
  /** With `succeeded` or `failed`. */
  result?: unknown;
  /** With `edit`. */
  arguments?: unknown;
}
export const decide = defineSignal<[DecisionSignal]>('decide');
/** From a worker: a late result has answered the question what became of a call. */
export const resultArrived = defineSignal<[{ approvalId: string }]>('resultArrived');
/** From the API: a budget or a rate was raised. */
export const limitsChanged = defineSignal('limitsChanged');
export const message = defineSignal<[{ content: string } | string]>('message');

/** Control state only; the conversation is read from the API. */
export interface RunView {
  phase: 'starting' | 'model' | 'tools' | 'waiting' | 'paused' | 'closing';
  step: number;
  used: Used;
  limits: ControlLimits;
  pendingApprovals: PendingApproval[];
}
export const getRun = defineQuery<RunView>('getRun');

export const WORKFLOW_TYPE = 'agentRun';
export const searchAttributes = { agentName: 'AgentName', status: 'AgentRunStatus', tenantId: 'TenantId' } as const;
