// Short reads are claimed with the reply that asks for them: where they run next, in this process, that is one commit
// less. What a claim is for stays true: it is stored, with its event, before the tool acts.
import type { ModelCallInput } from '../contracts/agentRun.js';
import type { ToolDefinition } from '../contracts/tools.js';
import type { LockedRun } from '../db/runs.js';
import type { NewToolCall, SameCalls } from '../db/toolCalls.js';
import { idempotencyKeyOf } from '../harness/ids.js';
import type { Claim } from './claimCall.js';
import type { Deps } from './deps.js';

export interface ReadCall {
  row: Pick<NewToolCall, 'id' | 'argumentsDigest'>;
  tool: ToolDefinition;
  /** As they are stored. */
  arguments: string;
}

/**
 * Claims for all of these calls, which the workflow is told to run within its task; or for none, when they might not run
 * here and at once: another worker would have to count a second attempt.
 */
export function claimAhead(
  deps: Deps,
  run: LockedRun,
  { toolCallsLeft = 0 }: ModelCallInput,
  { calls, atOnce, same }: { calls: readonly ReadCall[]; atOnce: number; same: readonly SameCalls[] },
): ReadonlyMap<string, Claim> {
  const runHere = deps.localCalls.hasWorkflowOf(run.id);
  const runAtOnce = calls.length <= Math.min(atOnce, toolCallsLeft) && run.cancelRequested === null;
  // A claim takes from budgets and rates, and may have to wait for them.
  const limited = run.inForce.budgets || run.inForce.rates || calls.some(({ tool }) => tool.rate !== undefined);
  if (limited || !runHere || !runAtOnce || calls.some(({ tool }) => tool.source === 'client')) return new Map();
  return new Map(
    calls.map(({ row, tool, arguments: text }) => [
      row.id,
      {
        kind: 'claimed',
        tool,
        agentName: run.agentName,
        arguments: JSON.parse(text) as unknown,
        attempt: 1,
        recheck: false,
        vouched: false,
        edited: false,
        idempotencyKey: idempotencyKeyOf(run.id, row.id),
        argumentsDigest: row.argumentsDigest,
        ...(calls.length === 1 ? { asClaimed: { run, same } } : {}),
      },
    ]),
  );
}
