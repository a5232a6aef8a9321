// One model call for one step: look for a stored reply, prepare, ask once, store. Nothing is bought twice.
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import type { CallModelResult, StepInput } from '../contracts/agentRun.js';
import { publishDelta } from '../db/deltas.js';
import { Aborted } from '../providers/anthropic.js';
import { ModelFailure, type ModelReply } from '../providers/modelProvider.js';
import { ContentErased } from './conversation.js';
import { DeltaBatch } from './deltaBatch.js';
import type { Deps } from './deps.js';
import { startHeartbeat } from './heartbeat.js';
import { recordAbortedAttempt, recordModelFailure } from './modelFailures.js';
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
    if (err instanceof ModelFailure) throw await recordModelFailure(deps, input, err);
    if (err instanceof Aborted) await recordAbortedAttempt(deps, input, err.usage);
    if (err instanceof Aborted) throw aborted();
    if (err instanceof ContentErased) {
      throw ApplicationFailure.create({ type: err.name, message: err.message, nonRetryable: true });
    }
    throw err;
  } finally {
    stopHeartbeat();
  }
}

async function finish(deps: Deps, input: StepInput, prepared: Prepared): Promise<CallModelResult> {
  if (prepared.kind === 'done') return prepared.result;
  if (prepared.kind === 'suspect') throw new Error(`step ${input.step} is a suspect though it is alone`);
  const reply = await ask(deps, input, prepared);
  return recordReply(deps, input, prepared, reply);
}

async function ask(deps: Deps, { agentRunId, step }: StepInput, prepared: PreparedStep): Promise<ModelReply> {
  const deltas = new DeltaBatch((kind, text) =>
    publishDelta(deps.pool, { runId: agentRunId, step, attempt: prepared.attempt, kind, text }),
  );
  try {
    return await prepared.provider.call(prepared.request, {
      signal: Context.current().cancellationSignal,
      onDelta: (kind, text) => deltas.add(kind, text),
    });
  } finally {
    await deltas.end();
  }
}

/** A run that was cancelled ends here; a worker that is going away hands the call back to be made elsewhere. */
function aborted(): Error {
  const details = Context.current().cancellationDetails;
  if (details?.cancelRequested) return new CancelledFailure('the model call was stopped');
  return ApplicationFailure.create({ type: 'WorkerShutdown', message: 'handed back: the worker is shutting down' });
}
