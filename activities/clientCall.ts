// A call that whoever started the run executes: handed over once, then waited for like an answer.
import type { ToolCallEnd } from '../contracts/agentRun.js';
import type { ToolDefinition } from '../contracts/tools.js';
import type { RunRow } from '../db/runs.js';
import type { ToolCallRow } from '../db/toolCalls.js';
import { clientCallIdOf } from '../harness/ids.js';

/** The same in every attempt: the time counts from the claim. */
export const clientWait = (run: RunRow, call: ToolCallRow, tool: ToolDefinition): ToolCallEnd => ({
  outcome: 'asks',
  approval: {
    approvalId: clientCallIdOf(run.id, call.id),
    argumentsDigest: call.argumentsDigest,
    kind: 'client',
    expiresAtMs: (call.claimedAt ?? run.readAt).getTime() + tool.timeoutMs,
  },
});

/** What the model is told when nobody has returned a result in time. */
export const notReturned = (call: ToolCallRow): { outcome: 'failed' | 'unknown'; text: string } =>
  call.effect === 'read'
    ? { outcome: 'failed', text: `${LATE} Nothing is known of its result.` }
    : { outcome: 'unknown', text: `${LATE} It may or may not have happened. Check before you repeat it.` };

const LATE = 'Whoever executes this call did not return a result in time.';
