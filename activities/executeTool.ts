// Drives the attempts of a tool call: as an activity of its own, or, for short reads, as a local one.
import { Context } from '@temporalio/activity';
import type { LocalToolResult, ToolCallEnd, ToolCallInput } from '../contracts/agentRun.js';
import { idempotencyKeyOf } from '../harness/ids.js';
import type { Claim } from './claimCall.js';
import type { Deps } from './deps.js';
import { startHeartbeat } from './heartbeat.js';
import { stopSignal } from './stopSignal.js';
import { attemptToolCall } from './toolAttempt.js';
import type { Stoppable } from './underWay.js';

/**
 * How long a local call may hold up its workflow task, in milliseconds: for so long the run hears neither cancel nor
 * decisions. Then the call goes on without the task, and an activity of its own waits for it.
 */
const LOCAL_MS = 500;

export async function executeTool(deps: Deps, input: ToolCallInput): Promise<ToolCallEnd> {
  const stopHeartbeat = startHeartbeat();
  const asked = stopSignal(deps, input.agentRunId);
  try {
    const moved = deps.localCalls.take(input);
    if (!moved) {
      return await attemptToolCall(deps, input, asked);
    }
    asked.signal.addEventListener('abort', () => moved.stop(asked.cancelRequested()));
    return await moved.result;
  } finally {
    asked.release();
    stopHeartbeat();
  }
}

/** Runs within the workflow task: no dispatch, one marker in history. `moved`: it takes longer; execute it. */
export async function executeToolLocally(deps: Deps, input: ToolCallInput, toolName: string): Promise<LocalToolResult> {
  const activity = Context.current();
  const ahead = deps.localCalls.takeClaim(input);
  const call = deps.localCalls.start(input, (driver) => attemptToolCall(deps, input, driver, ahead));
  // Also when the workflow leaves this worker's cache, which the SDK calls a cancellation too: it is handed back. Of a
  // run that was really cancelled the workflow does not execute it again.
  activity.cancellationSignal.addEventListener('abort', () => call.stop(false));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'moved'>((resolve) => {
    timer = setTimeout(() => resolve('moved'), LOCAL_MS);
  });
  try {
    const first = await Promise.race([call.result, late]);
    if (first !== 'moved') deps.localCalls.forget(input);
    else deps.localCalls.slowTools.add(toolName);
    return first === 'moved' ? { outcome: 'moved' } : first;
  } catch (err) {
    deps.localCalls.forget(input);
    throw err;
  } finally {
    clearTimeout(timer);
  }
}

export interface LocalCall {
  result: Promise<ToolCallEnd>;
  stop(cancelRequested: boolean): void;
}

/** The calls that this process runs within workflow tasks, or began there and goes on with. */
export class LocalCalls {
  /** Took too long once: not run within a workflow task again while this process lives. */
  readonly slowTools = new Set<string>();
  private readonly running = new Map<string, LocalCall>();
  /** Runs whose last local call ran here: so will the next one, as long as this process keeps their workflows. */
  private readonly here = new Set<string>();
  private readonly claimed = new Map<string, Claim>();

  hasWorkflowOf(agentRunId: string): boolean {
    return this.here.has(agentRunId);
  }

  /** For when they are to run. Only what is committed. */
  keepClaims(claims: Iterable<Claim>): void {
    for (const claim of claims) this.claimed.set(claim.idempotencyKey, claim);
    dropOldest(this.claimed);
  }

  takeClaim(input: ToolCallInput): Claim | undefined {
    const claim = this.claimed.get(keyOf(input));
    this.claimed.delete(keyOf(input));
    return claim;
  }

  start(input: ToolCallInput, attempt: (driver: Stoppable) => Promise<ToolCallEnd>): LocalCall {
    this.here.delete(input.agentRunId);
    this.here.add(input.agentRunId);
    dropOldest(this.here);
    const controller = new AbortController();
    let cancelled = false;
    const result = attempt({ signal: controller.signal, cancelRequested: () => cancelled });
    result.catch(() => undefined); // whoever waits for it is told; nobody may be waiting yet
    const call: LocalCall = {
      result,
      stop(cancelRequested) {
        cancelled = cancelRequested;
        controller.abort();
      },
    };
    this.running.set(keyOf(input), call);
    return call;
  }

  /** A call that was begun within a workflow task of this process, for its activity to go on with. */
  take(input: ToolCallInput): LocalCall | undefined {
    const call = this.running.get(keyOf(input));
    this.forget(input);
    return call;
  }

  forget(input: ToolCallInput): void {
    this.running.delete(keyOf(input));
  }
}

/** Of runs that ended, or that went to another worker. */
const MAX_KEPT = 500;

function dropOldest(kept: Map<string, unknown> | Set<string>): void {
  for (const oldest of kept.keys()) {
    if (kept.size <= MAX_KEPT) return;
    kept.delete(oldest);
  }
}

const keyOf = ({ agentRunId, toolCallId }: ToolCallInput): string => idempotencyKeyOf(agentRunId, toolCallId);
