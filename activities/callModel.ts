// One model call for one step: look for a stored reply, prepare, ask once, store. Nothing is bought twice.
import { ApplicationFailure } from '@temporalio/activity';
import type { CallModelHeld, CallModelResult, ModelCallInput, StepInput } from '../contracts/agentRun.js';
import { Aborted } from '../providers/anthropic.js';
import { ModelFailure } from '../providers/modelProvider.js';
import { askModel } from './askModel.js';
import { ContentErased } from './conversation.js';
import type { Deps } from './deps.js';
import { startHeartbeat } from './heartbeat.js';
import { askOrWait, heldUntil } from './holds.js';
import { recordAbortedAttempt, recordHeldStep, recordModelFailure } from './modelFailures.js';
import { type Prepared, type PreparedStep, prepareStep, stepKey } from './prepareStep.js';
import { recordReply } from './recordReply.js';
import { stopSignal } from './stopSignal.js';
import { type Stoppable, stopped, waitWhileElsewhere } from './underWay.js';

/**
 * A later attempt returns the reply that an earlier one stored. Throws ModelUnavailable, ModelRequestRejected and
 * their like without retry; everything that another attempt may mend is retried by Temporal after the delay it names.
 */
export async function callModel(deps: Deps, input: ModelCallInput): Promise<CallModelResult | CallModelHeld> {
  const stopHeartbeat = startHeartbeat();
  const asked = stopSignal(deps, input.agentRunId);
  try {
    return await deps.underWay.alone(stepKey(input), asked, async (driver) => {
      const prepared = await askOrWait(deps, input, driver.signal, (queued) =>
        waitWhileElsewhere(driver, () => prepareStep(deps, input, { queued })),
      );
      if (prepared.kind !== 'suspect') return finish(deps, input, prepared, driver);
      return deps.suspects.alone(async () =>
        finish(deps, input, await prepareStep(deps, input, { alone: true, queued: true }), driver),
      );
    });
  } catch (err) {
    deps.conversations.forget(input.agentRunId);
    if (err instanceof ContentErased) {
      throw ApplicationFailure.create({ type: err.name, message: err.message, nonRetryable: true });
    }
    throw err;
  } finally {
    asked.release();
    stopHeartbeat();
  }
}

async function finish(
  deps: Deps,
  input: ModelCallInput,
  prepared: Prepared,
  driver: Stoppable,
): Promise<CallModelResult | CallModelHeld> {
  switch (prepared.kind) {
    case 'done':
      return prepared.result;
    case 'suspect':
    case 'elsewhere':
      throw new Error(`step ${input.step} is ${prepared.kind} though it is alone`);
    case 'hold':
      return { heldUntilMs: heldUntil(prepared) };
    case 'held':
      throw await recordHeldStep(deps, input, prepared.key);
    case 'refused':
      throw await recordModelFailure(deps, input, prepared.failure, prepared);
    case 'ask':
      return recordReply(deps, input, prepared, await ask(deps, input, prepared, driver));
  }
}

async function ask(deps: Deps, input: StepInput, prepared: PreparedStep, driver: Stoppable) {
  try {
    return await askModel(deps, input, prepared, driver.signal);
  } catch (err) {
    if (err instanceof ModelFailure) throw await recordModelFailure(deps, input, err, prepared);
    if (!(err instanceof Aborted)) throw err;
    await recordAbortedAttempt(deps, input, prepared, err.usage);
    throw stopped(driver);
  }
}
