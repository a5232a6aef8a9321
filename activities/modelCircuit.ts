// May this attempt go out to its model, and what does its end say to all runs that wait for the same one?
import type { ModelFailureType } from '../contracts/failures.js';
import { type CircuitKey, changeCircuit, changeCircuitIn, type troubledCircuits } from '../db/modelCircuits.js';
import type { PoolClient } from '../db/pool.js';
import {
  type Circuit,
  PROBE_LEASE_MS,
  type ProviderFailure,
  afterAnswer,
  afterFailure,
  afterProbeGivenUp,
  afterReply,
  inLine,
  isOpen,
  passage,
  probeRenewed,
  probing,
} from '../harness/limits/circuit.js';
import type { ModelFailure } from '../providers/modelProvider.js';
import type { Deps } from './deps.js';

/** An attempt's permission. */
export interface Pass {
  key: CircuitKey;
  agentRunId: string;
  /** It is the one attempt that finds out whether the provider is back. */
  probe: boolean;
  /** There had been failures: a reply puts that right. */
  troubled: boolean;
  /** By PostgreSQL's clock, in milliseconds since 1970. */
  at: number;
}

/** Those that are the provider's, whatever is asked. */
const OUTAGES = new Set<ModelFailureType>([
  'ModelRateLimited',
  'ModelOverloaded',
  'ModelUnreachable',
  'ModelSpendLimitReached',
]);
/** Pause before the next try when only an operator can help: short enough that a key that was set shows soon. */
const OPERATOR_RETRY_MS = 10_000;

/** undefined: this run waits its turn. `circuits` are those of all models in trouble, as read in this transaction. */
export async function passTo(
  tx: PoolClient,
  key: CircuitKey,
  run: { id: string; readAt: Date },
  circuits: Awaited<ReturnType<typeof troubledCircuits>>,
): Promise<Pass | undefined> {
  const circuit = circuits.find((c) => c.provider === key.provider && c.model === key.model);
  const pass = { key, agentRunId: run.id, probe: false, troubled: circuit !== undefined, at: run.readAt.getTime() };
  if (!circuit) return pass;
  const way = passage(circuit, run.id, circuit.now);
  if (way !== 'probe') return way === 'free' ? pass : undefined;
  // Of all that see it due one takes it.
  const { before, after, now } = await changeCircuitIn(tx, key, (c, at) =>
    passage(c, run.id, at) === 'probe' ? probing(c, run.id, at) : c,
  );
  if (after !== before) return { ...pass, probe: true };
  return passage(after, run.id, now) === 'free' ? pass : undefined;
}

/** When to look again. */
export interface NextTry {
  delayMs: number;
  at: Date;
  /** What is wrong with the model, if anything. */
  trouble: string;
}

const nextTry = ({ wakeAt, reason }: Circuit, now: number): NextTry => ({
  delayMs: Math.max(1, Math.ceil((wakeAt ?? now) - now)),
  at: new Date(wakeAt ?? now),
  trouble: reason,
});

/** Takes a place in line. */
export async function waitInLine(deps: Deps, key: CircuitKey, notBeforeMs = 0): Promise<NextTry> {
  const { after, now } = await changeCircuit(deps.pool, key, (c, at) => inLine(c, at, at + notBeforeMs));
  return nextTry(after, now);
}

/** Returns a place in line, where the next try is not for the run alone to choose. */
export async function tellFailure(deps: Deps, pass: Pass, failure: ModelFailure): Promise<NextTry | undefined> {
  const { retry, retryAfterMs } = failure.options;
  if (!OUTAGES.has(failure.type)) {
    if (pass.probe) await tellAnswer(deps, pass); // refused, but answered
    return retry === 'wait' ? waitInLine(deps, pass.key, OPERATOR_RETRY_MS) : undefined;
  }
  const said: ProviderFailure = {
    runId: pass.agentRunId,
    startedAt: pass.at,
    reason: failure.message,
    forAll: retry === 'wait',
    ...(retryAfterMs === undefined || retryAfterMs === 0 ? {} : { retryAfterMs }),
  };
  const { before, after, now } = await changeCircuit(deps.pool, pass.key, (c, at) => {
    const failed = afterFailure(c, said, at);
    return isOpen(failed) ? inLine(failed, at) : failed;
  });
  if (isOpen(after) && !isOpen(before)) {
    deps.log.warn({ ...pass.key, reason: failure.message }, 'a model is in trouble: one attempt at a time from now on');
  }
  return isOpen(after) ? nextTry(after, now) : undefined;
}

/** The provider has begun to answer. */
export async function tellAnswer(deps: Deps, pass: Pass): Promise<void> {
  if (!pass.probe) return;
  const { before, after } = await changeCircuit(deps.pool, pass.key, (c, at) => afterAnswer(c, pass.agentRunId, at));
  if (isOpen(before) && !isOpen(after)) deps.log.info(pass.key, 'a model answers again: waiting runs go on in turn');
}

export async function tellReply(deps: Deps, pass: Pass): Promise<void> {
  if (pass.troubled) await changeCircuit(deps.pool, pass.key, (c) => afterReply(c));
}

export async function tellGivenUp(deps: Deps, pass: Pass): Promise<void> {
  if (pass.probe) await changeCircuit(deps.pool, pass.key, (c) => afterProbeGivenUp(c, pass.agentRunId));
}

/** While the attempt is under way no other is made; it ends when this process does. */
export function keepProbe(deps: Deps, pass: Pass): () => void {
  if (!pass.probe) return () => undefined;
  const timer = setInterval(() => {
    changeCircuit(deps.pool, pass.key, (c, at) => probeRenewed(c, pass.agentRunId, at)).catch(() => undefined);
  }, PROBE_LEASE_MS / 3);
  return () => clearInterval(timer);
}
