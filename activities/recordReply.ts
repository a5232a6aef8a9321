// After the provider answered: reply verbatim, what it cost, every call judged, in one transaction.
import { type CallModelResult, type ModelCallInput, type ToolCallControl, isClosed } from '../contracts/agentRun.js';
import { type ContentBlock, totalTokens } from '../contracts/conversation.js';
import { type NewEvent, systemActor } from '../contracts/events.js';
import { type ToolDefinition, toolDefaults } from '../contracts/tools.js';
import { type StandingAnswer, standingAnswers } from '../db/approvals.js';
import { chargeBudgets } from '../db/budgets.js';
import { putContents } from '../db/contents.js';
import { appendEvents } from '../db/events.js';
import { insertMessage } from '../db/messages.js';
import { type ModelCallRow, findModelCalls, recordModelReply, usageOfCall } from '../db/modelCalls.js';
import { type PoolClient, atCommit, withTransaction } from '../db/pool.js';
import { noteBill } from '../db/runProgress.js';
import { type LockedRun, type RunRow, lockRun } from '../db/runs.js';
import { whenBack } from '../db/whenBack.js';
import { type TenantPolicyRow, tenantPolicyOfRun } from '../db/tenantPolicies.js';
import {
  type NewToolCall,
  type SameCalls,
  insertToolCalls,
  sameCallsBefore,
  timesBefore,
  usedToolCallIds,
} from '../db/toolCalls.js';
import { termsOf } from '../harness/approvalTerms.js';
import { canonicalJson, sha256Hex } from '../harness/canonical.js';
import { approvalIdOf } from '../harness/ids.js';
import { LOOP_STEPS, repeatOf } from '../harness/limits/loopGuard.js';
import { usdOf } from '../harness/limits/money.js';
import { type JudgedCall, isToolCallId, judgeToolCalls } from '../harness/policy/judgeToolCalls.js';
import { decidedData } from '../harness/policy/decidedData.js';
import { policyFacts } from '../harness/policy/policyFacts.js';
import { costNanoUsd } from '../providers/prices.js';
import { wakeTime } from '../tools/builtIn/sleepUntil.js';
import { accountOf } from './admission.js';
import { type ReadCall, claimAhead } from './claimAhead.js';
import { type Claim, startedEvent } from './claimCall.js';
import type { Deps } from './deps.js';
import { type Bill, billAttempt, owedBy } from './modelBill.js';
import type { PreparedStep } from './prepareStep.js';
import type { RedactedReply } from './redactions.js';

export async function recordReply(
  deps: Deps,
  input: ModelCallInput,
  prepared: PreparedStep,
  reply: RedactedReply,
): Promise<CallModelResult> {
  const { agentRunId, step } = input;
  const { definition } = prepared.agent;
  let claims: ReadonlyMap<string, Claim> = new Map();
  const cost = costNanoUsd(definition.model, reply.usage);
  const storeOnce = () =>
    withTransaction(deps.pool, async (tx) => {
      const [run, modelCalls, known] = await Promise.all([
        lockRun(tx, agentRunId),
        findModelCalls(tx, agentRunId, step),
        whatIsKnown(tx, input, reply, definition.limits.loopGuard !== false),
      ]);
      const call = modelCalls.find((row) => row.step === step) as ModelCallRow;
      if (call.result && call.replyAttempt === prepared.attempt) return call.result; // this very transaction, repeated
      const owed = owedBy(call, prepared.attempt, reply.usage);
      const charge = billOfStep(call, owed);
      if (call.result || isClosed(run.status)) {
        claims = new Map();
        if (!owed.counted || totalTokens(owed.usage) > 0) await discard(tx, run, call, prepared, reply);
        return call.result ?? { stopReason: reply.stopReason, toolCalls: [], ...charge };
      }
      const judged = judge(deps, run, step, prepared, reply, known);
      const planned = judged.calls.map((judgedCall) => planCall(judgedCall, step, run, definition));
      const { calls, loop } = watchRejected(planned, known.same);
      const contents = [
        JSON.stringify(judged.content),
        ...calls.flatMap((c) => [c.arguments, ...(c.errorResult === undefined ? [] : [c.errorResult])]),
      ];
      const [replyHash = '', ...callHashes] = contents.map((text) => sha256Hex(text));
      const toolCalls = withinWorkflowTask(deps, calls);
      const result: CallModelResult = { stopReason: reply.stopReason, toolCalls, ...(loop ? { loop } : {}), ...charge };
      claims = claimAhead(deps, run, input, {
        calls: reply.stopReason === 'tool_use' ? localReads(calls, toolCalls) : [],
        atOnce: definition.limits.parallelTools,
        same: known.same,
      });
      run.steps = step;
      noteBill(run, owed);
      const events: NewEvent[] = [
        {
          type: 'model.replied',
          actor: { kind: 'model', id: definition.model },
          step,
          data: {
            replyHash,
            stopReason: reply.stopReason,
            attempt: prepared.attempt,
            usage: reply.usage,
            costUsd: usdOf(cost),
            providerRequestId: reply.providerRequestId,
            ...(judged.repairedIds.length === 0 ? {} : { repairedIds: judged.repairedIds }),
            ...(reply.redacted.length === 0 ? {} : { redacted: reply.redacted }),
          },
        },
        ...calls.map((c) => c.event),
        ...calls.flatMap((c) => {
          const claim = claims.get(c.row.id);
          return claim ? [startedEvent(deps, c.row, claim)] : [];
        }),
      ];
      atCommit(
        tx,
        putContents(tx, agentRunId, contents),
        insertMessage(tx, agentRunId, {
          seq: prepared.lastSeq + 1,
          role: 'assistant',
          step,
          parts: [{ kind: 'blocks', hash: replyHash }],
        }),
        insertToolCalls(
          tx,
          agentRunId,
          rowsOf(calls, callHashes, (id) => (claims.has(id) ? deps.workerId : null)),
        ),
        recordModelReply(tx, agentRunId, step, {
          attempt: prepared.attempt,
          replyHash,
          stopReason: reply.stopReason,
          providerRequestId: reply.providerRequestId,
          owed,
          result,
        }),
        appendEvents(tx, run, events, { progress: true }),
      );
      if (run.inForce.budgets) {
        const used = { costNanoUsd: owed.costNanoUsd, tokens: totalTokens(owed.usage), steps: 1 };
        const account = { ...accountOf(run), model: call.model };
        atCommit(tx, chargeBudgets(tx, account, { agentRunId, step, used, done: true }));
      }
      return result;
    });
  const late = (err: unknown) => deps.log.warn({ err, agentRunId, step }, 'a reply waits for the database');
  const result = await whenBack(storeOnce, late);
  deps.localCalls.keepClaims(claims.values());
  return result;
}

/** All that the step has cost, with the attempts before this one: what counts against the limits. */
const billOfStep = (call: ModelCallRow, owed: Bill): Pick<CallModelResult, 'tokens' | 'costNanoUsd'> => ({
  tokens: totalTokens(usageOfCall(call)) + totalTokens(owed.usage),
  costNanoUsd: call.costNanoUsd + owed.costNanoUsd,
});

/** Another attempt was first, and its reply stands; or the run has ended. This one is paid all the same. */
async function discard(
  tx: PoolClient,
  run: LockedRun,
  call: ModelCallRow,
  { attempt }: PreparedStep,
  reply: RedactedReply,
): Promise<void> {
  const message = call.result ? 'another attempt was first; its reply stands' : 'the run had ended';
  const data = { type: 'ReplyDiscarded', message, attempt, ...billAttempt(tx, run, call, attempt, reply.usage) };
  const event: NewEvent = { type: 'model.failed', actor: systemActor('worker'), step: call.step, data };
  await appendEvents(tx, run, [event], { progress: true });
}

interface KnownOfRun {
  usedIds: Set<string>;
  tenantPolicy?: TenantPolicyRow | undefined;
  answers: StandingAnswer[];
  /** For the loop guard, unless it is off. */
  same: SameCalls[];
}

async function whatIsKnown(
  tx: PoolClient,
  { agentRunId, step }: ModelCallInput,
  reply: RedactedReply,
  guarded: boolean,
): Promise<KnownOfRun> {
  // Only what can be an id goes into SQL: a model may send anything.
  const proposed = reply.content.flatMap((b) => (b.type === 'tool_use' && isToolCallId(b['id']) ? [b['id']] : []));
  if (proposed.length === 0) return { usedIds: new Set(), answers: [], same: [] };
  const [usedIds, answers, tenantPolicy, same] = await Promise.all([
    usedToolCallIds(tx, agentRunId, proposed),
    standingAnswers(tx, agentRunId),
    tenantPolicyOfRun(tx, agentRunId),
    guarded ? sameCallsBefore(tx, agentRunId, { step, steps: LOOP_STEPS }) : [],
  ]);
  return { usedIds, answers, tenantPolicy, same };
}

function judge(
  deps: Deps,
  run: RunRow,
  step: number,
  { agent, messages }: PreparedStep,
  reply: RedactedReply,
  known: KnownOfRun,
) {
  return judgeToolCalls({
    content: reply.content,
    stopReason: reply.stopReason,
    step,
    tools: run.tools,
    policy: agent.policyWith(known.tenantPolicy),
    provenance: () => deps.provenance.of(run, agent, messages),
    seenToolCallIds: known.usedIds,
    answers: known.answers,
    facts: policyFacts(run),
    leaks: reply.leaks,
  });
}

/** Calls that come to nothing count as well: a model may repeat one that is refused for ever. */
function watchRejected(
  calls: readonly PlannedCall[],
  same: readonly SameCalls[],
): { calls: PlannedCall[]; loop: boolean } {
  let loop = false;
  const watched = calls.map((call): PlannedCall => {
    if (call.errorResult === undefined) return call;
    const resultDigest = sha256Hex(call.errorResult);
    const { nudge, stop } = repeatOf(timesBefore(same, call.row.tool, call.row.argumentsDigest, resultDigest));
    if (nudge === undefined) return call;
    loop ||= stop;
    const content = [...(JSON.parse(call.errorResult) as ContentBlock[]), { type: 'text', text: nudge }];
    return { ...call, row: { ...call.row, resultDigest }, errorResult: JSON.stringify(content) };
  });
  return { calls: watched, loop };
}

interface PlannedCall {
  row: Omit<NewToolCall, 'argumentsHash' | 'resultHash' | 'claimedBy'>;
  /** As it is in this call. */
  tool: ToolDefinition | undefined;
  /** Canonical JSON; its SHA-256 is the digest that people approve. */
  arguments: string;
  errorResult: string | undefined;
  control: ToolCallControl;
  event: NewEvent;
}

function planCall(
  call: JudgedCall,
  step: number,
  run: RunRow,
  definition: PreparedStep['agent']['definition'],
): PlannedCall {
  const sleep =
    call.tool?.waits === 'timer' && call.verdict !== 'reject' ? wakeTime(call.arguments, Date.now()) : undefined;
  const errorText = sleep && !sleep.ok ? sleep.message : call.errorText;
  const verdict = errorText === undefined ? call.verdict : 'reject';
  const base = {
    toolCallId: call.toolCallId,
    summary: call.summary,
    timeoutMs: call.tool?.timeoutMs ?? toolDefaults.timeoutMs,
    ...(call.tool?.queue === undefined ? {} : { queue: call.tool.queue }),
  };
  return {
    row: {
      id: call.toolCallId,
      step,
      position: call.index,
      tool: call.name,
      effect: call.tool?.effect ?? 'irreversible',
      verdict,
      rule: call.rule,
      reason: call.reason,
      decision: call.decision ?? null,
      argumentsDigest: call.argumentsDigest,
      summary: call.summary,
      outcome: verdict === 'reject' ? 'rejected' : null,
      isError: verdict === 'reject' ? true : null,
      resultDigest: null,
    },
    tool: call.tool,
    arguments: canonicalJson(call.arguments),
    errorResult: verdict === 'reject' ? JSON.stringify([{ type: 'text', text: errorText ?? call.reason }]) : undefined,
    control: control(),
    event: {
      type: 'tool.decided',
      actor: systemActor('policy'),
      step,
      toolCallId: call.toolCallId,
      data: {
        tool: call.name,
        verdict,
        rule: call.rule,
        reason: call.reason,
        argumentsDigest: call.argumentsDigest,
        effect: call.tool?.effect ?? 'irreversible',
        ...decidedData(call),
        ...(call.coveredBy === undefined ? {} : { coveredBy: call.coveredBy }),
      },
    },
  };

  function control(): ToolCallControl {
    if (verdict === 'reject') return { ...base, next: 'settled' };
    if (sleep?.ok) return { ...base, next: 'sleep', untilMs: sleep.untilMs };
    if (verdict === 'execute') return { ...base, next: 'execute' };
    return {
      ...base,
      next: 'ask',
      approval: {
        approvalId: approvalIdOf(run.id, call.toolCallId),
        argumentsDigest: call.argumentsDigest,
        ...termsOf(definition, call.tool?.waits === 'person' ? 'input' : 'approval', Date.now()),
      },
    };
  }
}

/**
 * A step that only reads, with tools that have been quick so far, needs no activity for them. With any other call in
 * it, that one would wait for the reads.
 */
function withinWorkflowTask(deps: Deps, calls: readonly PlannedCall[]): ToolCallControl[] {
  const open = calls.filter((c) => c.control.next !== 'settled');
  const quick = open.every(
    ({ control, row }) =>
      control.next === 'execute' &&
      control.queue === undefined &&
      row.effect === 'read' &&
      !deps.localCalls.slowTools.has(row.tool),
  );
  return calls.map(({ control, row }) =>
    quick && control.next === 'execute' ? { ...control, local: { tool: row.tool } } : control,
  );
}

const localReads = (calls: readonly PlannedCall[], controls: readonly ToolCallControl[]): ReadCall[] =>
  calls.flatMap(({ row, tool, arguments: text }, i) =>
    controls[i]?.local && tool ? [{ row, tool, arguments: text }] : [],
  );

/** `hashes` are those of the calls' contents in the order in which they were put. */
function rowsOf(
  calls: readonly PlannedCall[],
  hashes: readonly string[],
  claimedBy: (toolCallId: string) => string | null,
): NewToolCall[] {
  let next = 0;
  const take = (): string => hashes[next++] as string;
  return calls.map((call) => ({
    ...call.row,
    claimedBy: claimedBy(call.row.id),
    argumentsHash: take(),
    resultHash: call.errorResult === undefined ? null : take(),
  }));
}
