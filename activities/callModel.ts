// One model call for one step: look for a stored reply, prepare, ask once, store. Nothing is bought twice.
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import type { CallModelResult, StepInput } from '../contracts/agentRun.js';
import { Aborted } from '../providers/anthropic.js';
import { ModelFailure } from '../providers/modelProvider.js';
import { askModel } from './askModel.js';
import { ContentErased } from './conversation.js';
import type { Deps } from './deps.js';
import { startHeartbeat } from './heartbeat.js';
import { recordAbortedAttempt, recordHeldStep, recordModelFailure } from './modelFailures.js';
import { type Prepared, type PreparedStep, prepareStep } from './prepareStep.js';
import { recordReply } from './recordReply.js';

/**
 * A later attempt returns the reply that an earlier one stored. Throws ModelUnavailable, ModelRequestRejected and
 * their like without retry; everything that another attempt may mend is retried by Temporal after the delay it names.
 */
export async function callModel(deps: Deps, input: StepInput): Promise<CallModelResult> {
  const stopHeartbeat = startHeartbeat();
  try {
    const prepared = await prepareStep(deps, input);
    if (prepared.kind !== 'suspect') return await finish(deps, input, prepared);
    return await deps.suspects.alone(async () => finish(deps, input, await prepareStep(deps, input, { alone: true })));
  } catch (err) {
    deps.conversations.forget(input.agentRunId);
    if (err instanceof ContentErased) {
      throw ApplicationFailure.create({ type: err.name, message: err.message, nonRetryable: true });
    }
    throw err;
  } finally {
    stopHeartbeat();
  }
}

async function finish(deps: Deps, input: StepInput, prepared: Prepared): Promise<CallModelResult> {
  switch (prepared.kind) {
    case 'done':
      return prepared.result;
    case 'suspect':
      throw new Error(`step ${input.step} is a suspect though it is alone`);
    case 'held':
      throw await recordHeldStep(deps, input, prepared.key);
    case 'refused':
      throw await recordModelFailure(deps, input, prepared.failure, prepared);
    case 'ask':
      return recordReply(deps, input, prepared, await ask(deps, input, prepared));
  }
}

async function ask(deps: Deps, input: StepInput, prepared: PreparedStep) {
  try {
    return await askModel(deps, input, prepared);
  } catch (err) {
    if (err instanceof ModelFailure) throw await recordModelFailure(deps, input, err, prepared);
    if (!(err instanceof Aborted)) throw err;
    await recordAbortedAttempt(deps, input, prepared, err.usage);
    throw aborted();
  }
}

/** A run that was cancelled ends here; a worker that is going away hands the call back to be made elsewhere. */
function aborted(): Error {
  const details = Context.current().cancellationDetails;
  if (details?.cancelRequested) return new CancelledFailure('the model call was stopped');
  return ApplicationFailure.create({ type: 'WorkerShutdown', message: 'handed back: the worker is shutting down' });
}
