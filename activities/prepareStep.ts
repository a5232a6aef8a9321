// Before the provider is asked: the step's user message, the request and its hashes, all in one transaction.
import { ApplicationFailure } from '@temporalio/activity';
import { type CallModelResult, type StepInput, isClosed } from '../contracts/agentRun.js';
import type { MessagePart, MessageRow } from '../contracts/conversation.js';
import { type NewEvent, systemActor } from '../contracts/events.js';
import { putContent } from '../db/contents.js';
import { appendEvents } from '../db/events.js';
import { insertMessage, lastMessage, takeQueuedMessages } from '../db/messages.js';
import { type ModelCallRow, findModelCalls, recordModelRequest } from '../db/modelCalls.js';
import { type PoolClient, withTransaction } from '../db/pool.js';
import { type RunRow, lockRun, setRunRunning } from '../db/runs.js';
import { listToolCalls } from '../db/toolCalls.js';
import { sha256Hex } from '../harness/canonical.js';
import { type ModelRequest, buildRequest, requestText, shownSizes } from '../harness/context/buildRequest.js';
import { ModelFailure, type ModelProvider } from '../providers/modelProvider.js';
import type { RunAgent } from './agentCache.js';
import type { Deps } from './deps.js';
import { isQuarantined, isSuspect, quarantined } from './suspects.js';

export interface PreparedStep {
  kind: 'ask';
  agent: RunAgent;
  provider: ModelProvider;
  request: ModelRequest;
  attempt: number;
  /** Sequence number of the step's last message: the reply comes after it. */
  lastSeq: number;
}

/** `done`: an earlier attempt stored the reply. `suspect`: earlier attempts vanished; ask again when alone. */
export type Prepared = PreparedStep | { kind: 'done'; result: CallModelResult } | { kind: 'suspect' };

export async function prepareStep(
  deps: Deps,
  { agentRunId, step }: StepInput,
  { alone = false } = {},
): Promise<Prepared> {
  return withTransaction(deps.pool, async (tx) => {
    const run = await lockRun(tx, agentRunId);
    const [call, before] = splitCalls(await findModelCalls(tx, agentRunId, step), step);
    if (call?.result) return { kind: 'done', result: call.result };
    if (isClosed(run.status)) {
      throw ApplicationFailure.create({ type: 'RunClosed', message: `the run is ${run.status}`, nonRetryable: true });
    }
    if (call && isQuarantined(call)) throw quarantined(`The model call of step ${step}`);
    if (call && !alone && isSuspect(call)) return { kind: 'suspect' };
    const agent = await deps.agents.of(tx, run);
    const models = deps.models.forModel(agent.definition.model);
    if (!models.ok) throw new ModelFailure('ModelKeyMissing', models.missing, { retry: 'wait' });

    if (!call) await writeUserMessage(tx, agentRunId, step, before);
    const conversation = await deps.conversations.load(tx, agentRunId, agent.headHash);
    const prefixHash = conversation.at(-1)?.prefixHash ?? agent.headHash;
    checkPrefix(conversation, call, before, prefixHash);
    const requestHash = sha256Hex(requestText(agent.head, conversation));
    const attempt = await recordModelRequest(tx, agentRunId, {
      step,
      model: agent.definition.model,
      requestHash,
      prefixHash,
      shown: shownSizes(agent.head, conversation),
    });
    await setRunRunning(tx, agentRunId);
    await appendEvents(tx, run, [
      ...startedEvent(run),
      {
        type: 'model.requested',
        actor: systemActor('worker'),
        step,
        data: { model: agent.definition.model, requestHash, attempt, messages: conversation.length },
      },
    ]);
    return {
      kind: 'ask',
      agent,
      provider: models.provider,
      request: buildRequest(agent.head, conversation),
      attempt,
      lastSeq: conversation.at(-1)?.seq ?? 0,
    };
  });
}

function splitCalls(rows: ModelCallRow[], step: number): [ModelCallRow | undefined, ModelCallRow | undefined] {
  return [rows.find((row) => row.step === step), rows.find((row) => row.step === step - 1)];
}

/** Everything new since the last reply as one user message: tool results first, then what people said. */
async function writeUserMessage(
  tx: PoolClient,
  agentRunId: string,
  step: number,
  before: ModelCallRow | undefined,
): Promise<void> {
  const last = await lastMessage(tx, agentRunId);
  const seq = (last?.seq ?? 0) + 1;
  const parts = [...(await toolResults(tx, agentRunId, step - 1)), ...(await takeQueuedMessages(tx, agentRunId, seq))];
  if (parts.length === 0) {
    // After pause_turn the provider goes on by itself when it is shown its own reply again.
    if (before?.stopReason === 'pause_turn') return;
    parts.push(await goOn(tx, agentRunId));
  }
  const message: MessageRow = { seq, role: 'user', step, parts };
  await insertMessage(tx, agentRunId, message);
}

async function toolResults(tx: PoolClient, agentRunId: string, step: number): Promise<MessagePart[]> {
  const calls = await listToolCalls(tx, agentRunId, step, step);
  return calls.map((call) => {
    if (call.resultHash === null) throw new Error(`tool call ${call.id} of step ${step} has no result`);
    return { kind: 'tool_result', toolCallId: call.id, hash: call.resultHash, isError: call.isError === true };
  });
}

/** A resumed run whose model had stopped on its own has nothing new to say, and the API wants a user message. */
async function goOn(tx: PoolClient, agentRunId: string): Promise<MessagePart> {
  const text = 'Continue from where you stopped.';
  return { kind: 'blocks', hash: await putContent(tx, agentRunId, JSON.stringify([{ type: 'text', text }])) };
}

// Current models refuse a thinking block whose prefix changed: better a loud bug here than a 400 in production.
function checkPrefix(
  conversation: readonly { seq: number; role: string; step: number; prefixHash: string }[],
  call: ModelCallRow | undefined,
  before: ModelCallRow | undefined,
  prefixHash: string,
): void {
  if (call && call.prefixHash !== prefixHash) {
    throw new Error(`the request of step ${call.step} is not the one of its first attempt`);
  }
  if (!before) return;
  const shown = conversation.findLast((m) => m.step <= before.step && m.role === 'user');
  if (shown && shown.prefixHash !== before.prefixHash) {
    throw new Error(`the request does not extend the one of step ${before.step}`);
  }
}

function startedEvent(run: RunRow): NewEvent[] {
  return run.startedAt === null ? [{ type: 'run.started', actor: systemActor('worker'), data: {} }] : [];
}
