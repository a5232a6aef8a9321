// The claim: in one transaction a call is taken, its approval spent, and the log says so. Only then may a tool act.
import type { ToolCallEnd, ToolCallInput } from '../contracts/agentRun.js';
import { isClosed } from '../contracts/agentRun.js';
import { type NewEvent, systemActor } from '../contracts/events.js';
import type { ToolDefinition, ToolOutcome } from '../contracts/tools.js';
import { type Spent, hasGrant, spendApproval } from '../db/approvals.js';
import { getArguments } from '../db/contents.js';
import { appendEvents } from '../db/events.js';
import { type PoolClient, atCommit, withTransaction } from '../db/pool.js';
import { noteRunning } from '../db/runProgress.js';
import { type LockedRun, type RunRow, lockRun } from '../db/runs.js';
import { type SameCalls, type ToolCallRow, claimToolCall, findToolCall } from '../db/toolCalls.js';
import { toolInCall } from '../harness/callEffect.js';
import { idempotencyKeyOf } from '../harness/ids.js';
import { admitToolCall } from './admission.js';
import type { Deps } from './deps.js';
import type { Hold } from './holds.js';
import { settle } from './recordToolResult.js';
import { clientWait } from './clientCall.js';
import { MAX_VANISHED, isQuarantined, isSuspect } from './suspects.js';
import { goesOnElsewhere } from './underWay.js';
import { leaveUnknown, outcomeQuestion } from './unknownOutcome.js';

export interface Claim {
  kind: 'claimed';
  tool: ToolDefinition;
  agentName: string;
  arguments: unknown;
  attempt: number;
  /** An earlier attempt may have acted: ask the destination before acting again. */
  recheck: boolean;
  /** A person said that it has not happened: where the destination cannot say, it runs. */
  vouched: boolean;
  /** A person gave other arguments than the model. */
  edited: boolean;
  idempotencyKey: string;
  argumentsDigest: string;
  /** Of a call that was claimed ahead, alone. */
  asClaimed?: AsClaimed;
}

/** What stands in the database as long as no event follows the claim. */
export interface AsClaimed {
  run: RunRow;
  same: readonly SameCalls[];
}

/** `quarantined` is thrown by whoever called this: it has to be stored first. */
export type Claimed =
  | Claim
  | { kind: 'ended'; end: ToolCallEnd }
  | { kind: 'suspect' }
  | { kind: 'quarantined' }
  /** Another worker is at it: wait for what it brings. */
  | { kind: 'elsewhere' }
  | Hold;
const ended = (outcome: ToolOutcome): Claimed => ({ kind: 'ended', end: { outcome } });

export interface ClaimOptions {
  /** No other suspect is running in this process. */
  alone?: boolean;
  /** It has waited for a rate: newcomers stand behind it. */
  queued?: boolean;
  /** Throws when nothing may be started any more; then there is no claim. Asked under the run's lock. */
  mayStart?: () => void;
}

export async function claimCall(
  deps: Deps,
  input: ToolCallInput,
  { alone = false, queued = false, mayStart = () => undefined }: ClaimOptions = {},
): Promise<Claimed> {
  return withTransaction(deps.pool, async (tx) => {
    const [run, found, args] = await Promise.all([
      lockRun(tx, input.agentRunId),
      findToolCall(tx, input.agentRunId, input.toolCallId),
      getArguments(tx, input.agentRunId, input.toolCallId),
    ]);
    if (!found) throw new Error(`no tool call ${input.toolCallId} in ${input.agentRunId}`);
    const tool = toolOf(run, found, args);
    // By the arguments as they are now: an edit may have made a write of a read.
    const call = tool ? { ...found, effect: tool.effect } : found;
    if (call.outcome) return isQuarantined(call) ? { kind: 'quarantined' } : ended(call.outcome);
    const refused = refusal(run, call);
    if (refused) return ended(await settle(tx, run, call, refused));
    if (tool?.source === 'client' && call.claimedAt !== null) {
      return { kind: 'ended', end: clientWait(run, call, tool) };
    }
    const attempt = { key: idempotencyKeyOf(run.id, call.id), by: call.claimedBy, since: call.attemptedAt };
    // A read does no harm twice; nobody need wait for it.
    if (call.effect !== 'read' && (await goesOnElsewhere(tx, deps, attempt))) return { kind: 'elsewhere' };
    if (call.claimedAt !== null && call.doubt === null && call.effect === 'irreversible') {
      return { kind: 'ended', end: await leaveUnknown(deps, tx, run, call, { why: DIED }) };
    }
    if (call.doubt === null && isQuarantined(call)) {
      await settle(tx, run, call, { outcome: 'failed', text: GIVEN_UP });
      return { kind: 'quarantined' };
    }
    if (!alone && isSuspect(call)) return { kind: 'suspect' };
    mayStart();
    return take(deps, tx, run, call, { args, queued });
  });
}

const GIVEN_UP =
  `The call took the process that ran it down ${MAX_VANISHED} times and was given up. It may or may not have had an ` +
  'effect. Do not repeat it as it is.';

function toolOf(run: RunRow, call: ToolCallRow, args: unknown): ToolDefinition | undefined {
  const tool = run.tools.find((t) => t.name === call.tool);
  return tool && toolInCall(tool, args);
}

/** What keeps this call from running (again), as the result the model will see. */
function refusal(run: RunRow, call: ToolCallRow): { outcome: ToolOutcome; text: string } | undefined {
  if (call.verdict === 'reject') return { outcome: 'rejected', text: call.reason };
  if (isClosed(run.status)) return { outcome: 'rejected', text: 'The run ended before this call ran.' };
  if (!run.tools.some((t) => t.name === call.tool)) {
    return { outcome: 'rejected', text: `There is no tool ${call.tool}.` };
  }
  return undefined;
}

const grantOf = ({ id, decidedBy, votes }: Spent) => ({
  approvalId: id,
  approvedBy: decidedBy,
  ...(votes.length > 1 ? { approvers: votes.map((vote) => vote.by) } : {}),
});

const DIED =
  'The call was started and its worker died before the result was stored, so it may or may not have happened.';

export const startedEvent = (
  { workerId }: Pick<Deps, 'workerId'>,
  call: Pick<ToolCallRow, 'id' | 'step' | 'tool' | 'effect' | 'rule' | 'argumentsDigest'>,
  claim: Pick<Claim, 'attempt' | 'idempotencyKey'>,
  approval?: Spent,
): NewEvent => ({
  type: 'tool.started',
  actor: systemActor(workerId),
  step: call.step,
  toolCallId: call.id,
  data: {
    tool: call.tool,
    effect: call.effect,
    rule: call.rule,
    argumentsDigest: call.argumentsDigest,
    attempt: claim.attempt,
    idempotencyKey: claim.idempotencyKey,
    ...(approval ? grantOf(approval) : {}),
  },
});

interface Taking {
  args: unknown;
  queued: boolean;
}

async function take(
  deps: Deps,
  tx: PoolClient,
  run: LockedRun,
  call: ToolCallRow,
  { args, queued }: Taking,
): Promise<Claimed> {
  const startedBefore = call.claimedAt !== null;
  const tool = toolOf(run, call, args) as ToolDefinition;
  let approval: Spent | undefined;
  const grant = { agentRunId: run.id, toolCallId: call.id, argumentsDigest: call.argumentsDigest };
  const again = { ...grant, kind: 'outcome' as const, round: call.doubts };
  // Not answered yet, or not so that it may run: an attempt after the one that brought the doubt.
  if (call.doubt !== null && !(await hasGrant(tx, again))) {
    return { kind: 'ended', end: { outcome: 'asks', approval: await outcomeQuestion(deps, tx, run, call) } };
  }
  // Before the approval is spent: a call that has to wait keeps it.
  const held = await admitToolCall(tx, run, { tool, first: !startedBefore, queued });
  if (held) return held;
  if (call.doubt !== null) approval = await spendApproval(tx, again);
  else if (call.verdict === 'ask' && !startedBefore) {
    approval = await spendApproval(tx, { ...grant, kind: 'approval', round: 1 });
    if (!approval) {
      const text = 'No unspent approval covers exactly these arguments. Nothing was executed.';
      return ended(await settle(tx, run, call, { outcome: 'rejected', text }));
    }
  }
  const attempt = call.attempts + 1;
  const idempotencyKey = idempotencyKeyOf(run.id, call.id);
  if (run.status === 'waiting' && (run.waiting?.for === 'timer' || run.waiting?.for === 'budget')) noteRunning(run);
  const started = startedEvent(deps, call, { attempt, idempotencyKey }, approval);
  atCommit(tx, claimToolCall(tx, run.id, call.id, deps.workerId), appendEvents(tx, run, [started], { progress: true }));
  if (tool.source === 'client') return { kind: 'ended', end: clientWait(run, call, tool) };
  return {
    kind: 'claimed',
    tool,
    agentName: run.agentName,
    arguments: args,
    attempt,
    recheck: startedBefore && call.effect === 'reconcilable',
    vouched: call.doubt !== null,
    edited: call.edited,
    idempotencyKey,
    argumentsDigest: call.argumentsDigest,
  };
}
