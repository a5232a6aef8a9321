// One attempt at the provider: streamed, on the bill from its first event on, its end told to the model's circuit.
import type { StepInput } from '../contracts/agentRun.js';
import type { Usage } from '../contracts/conversation.js';
import { publishDelta } from '../db/deltas.js';
import { noteReplyBegun } from '../db/modelCalls.js';
import { ModelFailure } from '../providers/modelProvider.js';
import { DeltaBatch } from './deltaBatch.js';
import type { Deps } from './deps.js';
import { keepProbe, tellAnswer, tellReply } from './modelCircuit.js';
import type { PreparedStep } from './prepareStep.js';
import { type RedactedReply, redactReply } from './redactions.js';

export async function askModel(
  deps: Deps,
  input: StepInput,
  prepared: PreparedStep,
  signal: AbortSignal,
): Promise<RedactedReply> {
  const { agentRunId, step } = input;
  const { attempt, pass } = prepared;
  const deltas = new DeltaBatch((kind, text) =>
    publishDelta(deps.pool, { runId: agentRunId, step, attempt, kind, text }),
  );
  const shown = { text: deps.redactor.stream(), thinking: deps.redactor.stream() };
  const stopKeeping = keepProbe(deps, pass);
  let begun: Promise<unknown> = Promise.resolve();
  const onStart = (usage: Usage): void => {
    stopKeeping();
    // At best: a database that is away must not break a reply that is on its way.
    begun = Promise.all([
      noteReplyBegun(deps.pool, agentRunId, { step, attempt, usage }),
      tellAnswer(deps, pass),
    ]).catch((err: unknown) => deps.log.warn({ err, ...input }, 'the beginning of a reply was not noted'));
  };
  try {
    const reply = await prepared.provider.call(prepared.request, {
      signal,
      onStart,
      onDelta: (kind, text) => deltas.add(kind, shown[kind].add(text)),
    });
    if (pass.troubled) {
      await begun; // in this order
      await tellReply(deps, pass).catch((err: unknown) => deps.log.warn({ err, ...input }, 'a circuit was not closed'));
    }
    return redactReply(deps.redactor, reply);
  } catch (err) {
    // It may tell what it was sent.
    if (err instanceof ModelFailure) err.message = deps.redactor.text(err.message).value;
    throw err;
  } finally {
    stopKeeping();
    for (const kind of ['text', 'thinking'] as const) deltas.add(kind, shown[kind].end());
    await Promise.all([begun, deltas.end()]);
  }
}
