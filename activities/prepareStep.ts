// Before the provider is asked: the step's user message, the request and its hashes, all in one transaction.
import { ApplicationFailure } from '@temporalio/activity';
import { type CallModelResult, type StepInput, isClosed } from '../contracts/agentRun.js';
import type { MessagePart, MessageRow } from '../contracts/conversation.js';
import { type NewEvent, systemActor } from '../contracts/events.js';
import { getContents, getContentsOfStep, putContent } from '../db/contents.js';
import { appendEvents } from '../db/events.js';
import { insertMessage, markMessagesRead, readMessages, unreadMessages } from '../db/messages.js';
import { type ModelCallRow, findModelCalls, recordModelRequest } from '../db/modelCalls.js';
import { type CircuitKey, troubledCircuits } from '../db/modelCircuits.js';
import { type PoolClient, atCommit, withTransaction } from '../db/pool.js';
import { noteRunning } from '../db/runProgress.js';
import { type LockedRun, type RunRow, lockRun } from '../db/runs.js';
import { type ToolCallRow, listToolCalls } from '../db/toolCalls.js';
import { sha256Hex } from '../harness/canonical.js';
import { type ConversationMessage, shownSizes } from '../harness/context/buildRequest.js';
import { postedRequest } from '../harness/context/postedRequest.js';
import { RequestHash } from '../harness/context/requestHash.js';
import type { Redactor } from '../harness/redaction/redactor.js';
import { ModelFailure, type ModelProvider } from '../providers/modelProvider.js';
import { admitModelCall } from './admission.js';
import type { RunAgent } from './agentCache.js';
import { cleanParts } from './cleanMessage.js';
import { type HashedConversation, extend, hashesOf } from './conversation.js';
import type { Deps } from './deps.js';
import type { Hold } from './holds.js';
import { billLostAttempts } from './modelBill.js';
import { type Pass, passTo, tellGivenUp } from './modelCircuit.js';
import { isQuarantined, isSuspect, quarantined } from './suspects.js';
import { goesOnElsewhere } from './underWay.js';

export interface PreparedStep {
  kind: 'ask';
  agent: RunAgent;
  provider: ModelProvider;
  /** As it is posted. */
  request: Buffer;
  /** What the request shows. */
  messages: readonly ConversationMessage[];
  attempt: number;
  pass: Pass;
  /** Sequence number of the step's last message: the reply comes after it. */
  lastSeq: number;
}

/**
 * `done`: an earlier attempt stored the reply. `suspect`: earlier attempts vanished; ask again when alone. `held`: the
 * model is in trouble, and it is not this run's turn. `refused`: this worker cannot ask.
 */
export type Prepared =
  | PreparedStep
  | { kind: 'done'; result: CallModelResult }
  | { kind: 'suspect' }
  /** Another worker is at it: wait for what it brings. */
  | { kind: 'elsewhere' }
  /** A budget or a rate is used up. */
  | Hold
  | { kind: 'held'; key: CircuitKey }
  | { kind: 'refused'; failure: ModelFailure; pass: Pass };

/** Names the model call of a step among the calls under way. */
export const stepKey = ({ agentRunId, step }: StepInput): string => `${agentRunId}/${step}`;

export async function prepareStep(
  deps: Deps,
  { agentRunId, step }: StepInput,
  { alone = false, queued = false } = {},
): Promise<Prepared> {
  const known = deps.conversations.of(agentRunId);
  const { prepared, shown, unused } = await withTransaction(deps.pool, async (tx) => {
    const stored = await readStep(tx, agentRunId, step, known?.messages.at(-1)?.seq ?? 0);
    const { run, call } = stored;
    if (call?.result) return { prepared: { kind: 'done' as const, result: call.result } };
    if (isClosed(run.status)) {
      throw ApplicationFailure.create({ type: 'RunClosed', message: `the run is ${run.status}`, nonRetryable: true });
    }
    const attempt = call && { key: stepKey({ agentRunId, step }), by: call.askedBy, since: call.askedAt };
    if (attempt && (await goesOnElsewhere(tx, deps, attempt))) return { prepared: { kind: 'elsewhere' as const } };
    if (call && isQuarantined(call)) throw quarantined(`The model call of step ${step}`);
    if (call && !alone && isSuspect(call)) return { prepared: { kind: 'suspect' as const } };
    const agent = await deps.agents.of(tx, run);
    const { model } = agent.definition;
    const models = deps.models.forModel(model);
    const key = { provider: models.name, model };
    if (!models.ok) {
      const failure = new ModelFailure('ModelKeyMissing', models.missing, { retry: 'wait' });
      const pass = { key, agentRunId, probe: false, troubled: false, at: run.readAt.getTime() };
      return { prepared: { kind: 'refused' as const, failure, pass } };
    }
    const pass = await passTo(tx, key, run, stored.circuits);
    if (!pass) return { prepared: { kind: 'held' as const, key } };

    const bytes = bytesOf(agent, known?.messages ?? [], stored);
    const held = await admitModelCall(tx, run, { agent, step, bytes, queued });
    if (held) return { prepared: held, unused: pass };

    const added = call ? undefined : userMessage(stored, step, known?.messages.at(-1)?.seq ?? 0);
    if (added) {
      await clean(deps.redactor, tx, added, stored);
      write(tx, run.id, added, stored);
    }
    const rows = added ? [...stored.rows, added.message] : stored.rows;
    const contents = await withMissing(tx, run.id, rows, stored.contents);
    const messages = extend(known?.messages ?? [], rows, agent.headHash, contents);
    const conversation = { messages, hash: (known?.hash ?? RequestHash.begin(agent.head)).extend(messages) };
    return {
      prepared: record(tx, deps.workerId, stored, { step, agent, provider: models.provider, conversation, pass }),
      shown: conversation,
    };
  });
  if (unused) await tellGivenUp(deps, unused);
  if (shown) deps.conversations.keep(agentRunId, shown);
  return prepared;
}

interface StoredStep {
  run: LockedRun;
  call: ModelCallRow | undefined;
  /** The model call of the step before. */
  before: ModelCallRow | undefined;
  /** Its tool calls. */
  toolCalls: ToolCallRow[];
  /** What people said since. */
  unread: MessagePart[];
  /** Messages that the worker does not know yet, and the contents of the latest. */
  rows: MessageRow[];
  contents: Map<string, Buffer>;
  circuits: Awaited<ReturnType<typeof troubledCircuits>>;
  /** Names of secrets that were in what is unread. */
  redacted?: string[];
}

/** Under the run's lock, in one round trip. */
async function readStep(tx: PoolClient, agentRunId: string, step: number, afterSeq: number): Promise<StoredStep> {
  const [run, modelCalls, toolCalls, unread, rows, contents, circuits] = await Promise.all([
    lockRun(tx, agentRunId),
    findModelCalls(tx, agentRunId, step),
    listToolCalls(tx, agentRunId, step - 1, step - 1),
    unreadMessages(tx, agentRunId),
    readMessages(tx, agentRunId, afterSeq),
    getContentsOfStep(tx, agentRunId, step - 1),
    troubledCircuits(tx),
  ]);
  const call = modelCalls.find((row) => row.step === step);
  const before = modelCalls.find((row) => row.step === step - 1);
  return { run, call, before, toolCalls, unread, rows, contents, circuits };
}

/** About what the request will have. */
const bytesOf = (agent: RunAgent, known: readonly { bytes: number }[], { contents }: StoredStep): number =>
  JSON.stringify(agent.head).length +
  known.reduce((sum, message) => sum + message.bytes, 0) +
  [...contents.values()].reduce((sum, content) => sum + content.length, 0);

interface AddedMessage {
  message: MessageRow;
  /** Said by us: content that is not stored yet. */
  text?: string;
}

/** Everything new since the last reply as one user message: tool results first, then what people said. */
function userMessage(
  { rows, toolCalls, unread, before }: StoredStep,
  step: number,
  knownSeq: number,
): AddedMessage | undefined {
  const seq = (rows.at(-1)?.seq ?? knownSeq) + 1;
  const parts = [...toolResults(toolCalls), ...unread];
  if (parts.length > 0) return { message: { seq, role: 'user', step, parts } };
  // After pause_turn the provider goes on by itself when it is shown its own reply again.
  if (before?.stopReason === 'pause_turn') return undefined;
  // A resumed run whose model had stopped on its own has nothing new to say, and the API wants a user message.
  const text = JSON.stringify([{ type: 'text', text: 'Continue from where you stopped.' }]);
  return { message: { seq, role: 'user', step, parts: [{ kind: 'blocks', hash: sha256Hex(text) }] }, text };
}

async function clean(redactor: Redactor, tx: PoolClient, { message, text }: AddedMessage, stored: StoredStep) {
  if (text !== undefined) return; // our own words
  const ran = stored.toolCalls.filter((call) => call.claimedAt !== null);
  const ownHashes = new Set(ran.map((call) => String(call.resultHash)));
  const { contents } = stored;
  const { parts, redacted } = await cleanParts(redactor, tx, stored.run.id, {
    parts: message.parts,
    contents,
    ownHashes,
  });
  message.parts = parts;
  if (redacted.length > 0) stored.redacted = redacted;
}

const toolResults = (calls: readonly ToolCallRow[]): MessagePart[] =>
  calls.map((call) => {
    if (call.resultHash === null) throw new Error(`tool call ${call.id} of step ${call.step} has no result`);
    return { kind: 'tool_result', toolCallId: call.id, hash: call.resultHash, isError: call.isError === true };
  });

function write(tx: PoolClient, agentRunId: string, { message, text }: AddedMessage, stored: StoredStep): void {
  if (text !== undefined) {
    atCommit(tx, putContent(tx, agentRunId, text));
    for (const { hash } of message.parts) stored.contents.set(hash, Buffer.from(text));
  }
  if (stored.unread.length > 0) atCommit(tx, markMessagesRead(tx, agentRunId, message.seq));
  atCommit(tx, insertMessage(tx, agentRunId, message));
}

async function withMissing(
  tx: PoolClient,
  agentRunId: string,
  rows: readonly MessageRow[],
  contents: ReadonlyMap<string, Buffer>,
): Promise<ReadonlyMap<string, Buffer>> {
  const missing = hashesOf(rows).filter((hash) => !contents.has(hash));
  if (missing.length === 0) return contents;
  return new Map([...contents, ...(await getContents(tx, agentRunId, missing))]);
}

interface Shown {
  step: number;
  agent: RunAgent;
  provider: ModelProvider;
  conversation: HashedConversation;
  pass: Pass;
}

function record(
  tx: PoolClient,
  workerId: string,
  { run, call, before, redacted }: StoredStep,
  shown: Shown,
): PreparedStep {
  const { step, agent, provider, conversation, pass } = shown;
  const { messages } = conversation;
  const { model } = agent.definition;
  const prefixHash = messages.at(-1)?.prefixHash ?? agent.headHash;
  checkPrefix(messages, call, before, prefixHash);
  const requestHash = conversation.hash.hex();
  const attempt = (call?.attempts ?? 0) + 1;
  const events: NewEvent[] = [
    ...startedEvent(run),
    ...billLostAttempts(tx, run, call),
    {
      type: 'model.requested',
      actor: systemActor('worker'),
      step,
      data: { model, requestHash, attempt, messages: messages.length, ...(redacted ? { redacted } : {}) },
    },
  ];
  noteRunning(run);
  atCommit(
    tx,
    recordModelRequest(tx, run.id, {
      step,
      model,
      requestHash,
      prefixHash,
      shown: shownSizes(agent.head, messages),
      workerId,
    }),
    appendEvents(tx, run, events, { progress: true }),
  );
  const request = postedRequest(agent.head, messages);
  return { kind: 'ask', agent, provider, request, messages, attempt, pass, lastSeq: messages.at(-1)?.seq ?? 0 };
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
