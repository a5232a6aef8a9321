// What a failed or postponed model call means for the run: an event, the bill, and when another attempt makes sense.
import { ApplicationFailure } from '@temporalio/activity';
import type { StepInput, Waiting } from '../contracts/agentRun.js';
import { isClosed } from '../contracts/agentRun.js';
import type { Usage } from '../contracts/conversation.js';
import { systemActor } from '../contracts/events.js';
import { appendEvents } from '../db/events.js';
import {
  type ModelCallRow,
  countEndedModelAttempt,
  countFailedModelAttempt,
  findModelCalls,
} from '../db/modelCalls.js';
import type { CircuitKey } from '../db/modelCircuits.js';
import { type PoolClient, atCommit, withTransaction } from '../db/pool.js';
import { noteWaiting } from '../db/runProgress.js';
import { type LockedRun, type RunRow, lockRun, setRunStatus } from '../db/runs.js';
import { whenBack } from '../db/whenBack.js';
import type { ModelFailure } from '../providers/modelProvider.js';
import type { Deps } from './deps.js';
import { billAttempt } from './modelBill.js';
import { type NextTry, type Pass, tellFailure, tellGivenUp, waitInLine } from './modelCircuit.js';

/** Longest time without a good reply before a run stops as `model_unavailable`. Waiting for an operator has no end. */
const OUTAGE_LIMIT_MS = 24 * 3_600_000;
/** Replies in a row that were no valid messages: the model, not the network, is broken. */
const MAX_BROKEN_REPLIES = 3;
const MAX_BACKOFF_MS = 60_000;

/** `attempt`: absent when nothing was asked. */
interface Failed {
  pass: Pass;
  attempt?: number;
}

/** Records the failure and returns what to throw to Temporal. */
export async function recordModelFailure(
  deps: Deps,
  input: StepInput,
  failure: ModelFailure,
  { pass, attempt }: Failed,
): Promise<ApplicationFailure> {
  const inLine = await patiently(deps, input, () => tellFailure(deps, pass, failure));
  const record = async (tx: PoolClient) => {
    const { run, call } = await readBoth(tx, input);
    const since = troubleSince(run, call);
    const end = endOf(failure, call, run.readAt.getTime() - since.getTime());
    const next = end === undefined ? (inLine ?? backoff(run, (call?.failures ?? 0) + 1)) : undefined;
    const until = next?.at.toISOString();
    // Waiting for a key is said once, not at every try.
    const saidBefore =
      run.waiting?.for === 'model' && run.waiting.reason === failure.message && failure.options.retry === 'wait';
    const billed =
      call && attempt !== undefined
        ? endAttempt(tx, run, call, { attempt, usage: failure.options.usage, failure })
        : {};
    const closed = isClosed(run.status);
    if (until !== undefined && !closed) {
      noteWaiting(run, { for: 'model', since: since.toISOString(), until, reason: failure.message });
      if (saidBefore) await setRunStatus(tx, run.id, run.status, run.waiting);
    }
    if (closed ? 'usage' in billed : !saidBefore) {
      const data = { type: failure.type, message: failure.message, ...(attempt === undefined ? {} : { attempt }) };
      const nextTry = until === undefined ? {} : { nextTryAt: until };
      await appendEvents(tx, run, [failedEvent(input, { ...data, ...nextTry, ...billed })], { progress: true });
    }
    return retryAfter({ type: end ?? failure.type, message: failure.message, delayMs: next?.delayMs });
  };
  return patiently(deps, input, () => withTransaction(deps.pool, record));
}

/** An attempt whose end is not written down counts as one that took its worker with it. */
const patiently = <T>(deps: Deps, input: StepInput, work: () => Promise<T>): Promise<T> =>
  whenBack(work, (err) => deps.log.warn({ err, ...input }, 'the end of a model call waits for the database'));

/** Others find out whether the provider is back; this run waits its turn. Nothing was asked. */
export async function recordHeldStep(deps: Deps, input: StepInput, key: CircuitKey): Promise<ApplicationFailure> {
  const next = await waitInLine(deps, key);
  return withTransaction(deps.pool, async (tx) => {
    const { run, call } = await readBoth(tx, input);
    const message = next.trouble === '' ? HELD : `${next.trouble} (${HELD})`;
    const since = troubleSince(run, call);
    if (isClosed(run.status) || run.readAt.getTime() - since.getTime() >= OUTAGE_LIMIT_MS) {
      return retryAfter({ type: 'ModelUnavailable', message, delayMs: undefined });
    }
    const until = next.at.toISOString();
    const waiting: Waiting = { for: 'model', since: since.toISOString(), until, reason: message };
    if (run.waiting?.for === 'model') {
      await setRunStatus(tx, run.id, 'waiting', waiting); // said before
    } else {
      noteWaiting(run, waiting);
      const event = {
        type: 'run.waiting' as const,
        actor: systemActor('worker'),
        step: input.step,
        data: { ...waiting },
      };
      await appendEvents(tx, run, [event], { progress: true });
    }
    return retryAfter({ type: 'ModelHeld', message, delayMs: next.delayMs });
  });
}

const HELD = 'one attempt at a time finds out when the model is back';

/** An attempt that we stopped ourselves is billed for what it had used. */
export async function recordAbortedAttempt(
  deps: Deps,
  input: StepInput,
  { attempt, pass }: Required<Failed>,
  usage: Usage,
): Promise<void> {
  await patiently(deps, input, () => tellGivenUp(deps, pass));
  const record = async (tx: PoolClient): Promise<void> => {
    const { run, call } = await readBoth(tx, input);
    const billed = call ? endAttempt(tx, run, call, { attempt, usage }) : {};
    if (isClosed(run.status) && !('usage' in billed)) return;
    const said = { type: 'Aborted', message: 'the call was stopped; its connection is closed', attempt };
    await appendEvents(tx, run, [failedEvent(input, { ...said, ...billed })], { progress: true });
  };
  await patiently(deps, input, () => withTransaction(deps.pool, record));
}

async function readBoth(tx: PoolClient, { agentRunId, step }: StepInput) {
  const [run, calls] = await Promise.all([lockRun(tx, agentRunId), findModelCalls(tx, agentRunId, step)]);
  return { run, call: calls.find((row) => row.step === step) };
}

function endAttempt(
  tx: PoolClient,
  run: LockedRun,
  call: ModelCallRow,
  end: { attempt: number; usage: Usage | undefined; failure?: ModelFailure },
): ReturnType<typeof billAttempt> {
  const counted = end.failure
    ? countFailedModelAttempt(tx, run.id, call.step, { broken: end.failure.type === 'ModelReplyBroken' })
    : countEndedModelAttempt(tx, run.id, call.step);
  atCommit(tx, counted);
  return billAttempt(tx, run, call, end.attempt, end.usage);
}

const failedEvent = ({ step }: StepInput, data: Record<string, unknown>) => ({
  type: 'model.failed' as const,
  actor: systemActor('worker'),
  step,
  data,
});

/** Since when this step has had no good reply. */
const troubleSince = (run: RunRow, call: ModelCallRow | undefined): Date =>
  call?.failingSince ?? (run.waiting?.for === 'model' ? new Date(run.waiting.since) : run.readAt);

/** The failure type that ends the run's work, or undefined when another attempt is made. */
function endOf(failure: ModelFailure, call: ModelCallRow | undefined, outageMs: number): string | undefined {
  if (failure.options.retry === 'never') return failure.type;
  if (failure.options.retry === 'wait') return undefined;
  const broken = failure.type === 'ModelReplyBroken' ? (call?.brokenReplies ?? 0) + 1 : 0;
  return broken >= MAX_BROKEN_REPLIES || outageMs >= OUTAGE_LIMIT_MS ? 'ModelUnavailable' : undefined;
}

/** Doubling, and with jitter, so that runs that failed at once do not return at once. */
function backoff(run: RunRow, failures: number): Omit<NextTry, 'trouble'> {
  const base = Math.min(MAX_BACKOFF_MS, 250 * 2 ** Math.min(failures, 12));
  const delayMs = Math.ceil(base * (1 + Math.random() * 0.2));
  return { delayMs, at: new Date(run.readAt.getTime() + delayMs) };
}

const retryAfter = ({ type, message, delayMs }: { type: string; message: string; delayMs: number | undefined }) =>
  ApplicationFailure.create({
    type,
    message,
    nonRetryable: delayMs === undefined,
    ...(delayMs === undefined ? {} : { nextRetryDelay: delayMs }),
    category: 'BENIGN',
  });
