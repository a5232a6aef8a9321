// How a run ends when it does not complete: by the model's stop reason, or by the failure that Temporal delivered.
import { ActivityFailure, ApplicationFailure, type TemporalFailure } from '@temporalio/workflow';
import type { RunOutcome } from '../contracts/agentRun.js';
import type { ModelStopReason } from '../contracts/conversation.js';

type Ending = Extract<ModelStopReason, 'max_tokens' | 'refusal' | 'model_context_window_exceeded' | 'unknown'>;

export function outcomeOfStop(stopReason: Ending): RunOutcome {
  switch (stopReason) {
    case 'max_tokens':
    case 'refusal':
      return { status: 'stopped', reason: stopReason };
    case 'model_context_window_exceeded':
      return { status: 'stopped', reason: 'context_exhausted' };
    case 'unknown':
      return { status: 'stopped', reason: 'unknown_stop_reason' };
  }
}

/** Failures after which the run can be resumed as it is; every other one needs a person to change something. */
const STOPPED = {
  ModelUnavailable: 'model_unavailable',
  ModelRequestTooLarge: 'context_exhausted',
  Quarantined: 'quarantined',
} as const;

export function outcomeOf(failure: TemporalFailure): RunOutcome {
  const cause = failure instanceof ActivityFailure ? failure.cause : failure;
  const type = (cause instanceof ApplicationFailure && cause.type) || (cause?.name ?? failure.name);
  if (type in STOPPED) {
    return { status: 'stopped', reason: STOPPED[type as keyof typeof STOPPED], detail: cause?.message ?? '' };
  }
  return { status: 'failed', error: { type, message: cause?.message ?? failure.message } };
}
