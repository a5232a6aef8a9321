// An agent run: its statuses, the shape clients read, and what passes between workflow and activities.
// Whatever crosses into Temporal history is an id, a count, a time or a verdict. Never content.
import { z } from 'zod';
import { agentName, usdString } from './agent.js';
import type { ModelStopReason } from './conversation.js';
import { inputContent } from './conversation.js';
import { duration } from './duration.js';
import type { Actor } from './events.js';
import type { ApprovalKind, Decision } from './decisions.js';
import type { ToolOutcome } from './tools.js';
import { agentRunId } from './ids.js';

export const runStatus = z.enum([
  'queued',
  'running',
  'waiting',
  'paused',
  'completed',
  'stopped',
  'failed',
  'cancelled',
]);
export type RunStatus = z.infer<typeof runStatus>;
export const closedStatuses: readonly RunStatus[] = ['completed', 'stopped', 'failed', 'cancelled'];
export const isClosed = (status: RunStatus): boolean => closedStatuses.includes(status);

export const waitingFor = z.enum(['approval', 'input', 'client', 'timer', 'budget', 'subagents', 'model']);
export type WaitingFor = z.infer<typeof waitingFor>;

export const waiting = z.object({
  for: waitingFor,
  since: z.iso.datetime(),
  until: z.iso.datetime().optional(),
  approvalIds: z.array(z.string()).optional(),
  /** Calls that the caller executes: GET …/client-calls shows them, POST …/tool-results takes their results. */
  toolCallIds: z.array(z.string()).optional(),
  /** For `budget`: which one, as scope/subject/period, or which rate, as scope/subject. */
  budget: z.string().optional(),
  /** In plain words, with the remedy where there is one. */
  reason: z.string().optional(),
});
export type Waiting = z.infer<typeof waiting>;

/** Why a run is `stopped`. Nothing is thrown away: resume goes on from the last good step. */
export const runStopReason = z.enum([
  'limit_steps',
  'limit_tokens',
  'limit_cost',
  'limit_tool_calls',
  'limit_time',
  'refusal',
  'loop',
  'model_unavailable',
  'context_exhausted',
  'max_tokens',
  'unknown_stop_reason',
  'quarantined',
  // Its workflow ended without it: terminated by a person with access to Temporal, by Temporal's limits, or not there.
  'workflow_terminated',
  'workflow_timed_out',
  'workflow_lost',
]);
export type RunStopReason = z.infer<typeof runStopReason>;

export const runLimits = z.object({
  maxSteps: z.number().int(),
  maxTokens: z.number().int(),
  maxCostUsd: usdString,
  maxToolCalls: z.number().int(),
  deadline: z.iso.datetime(),
});
export type RunLimits = z.infer<typeof runLimits>;

/** Limits as a caller gives them; those left out come from the agent. */
export const limitsBody = z.strictObject({
  maxSteps: z.int().min(1).max(100_000).optional(),
  maxTokens: z.int().min(1).max(1_000_000_000).optional(),
  maxCostUsd: usdString.optional(),
  maxToolCalls: z.int().min(0).max(1_000_000).optional(),
  /** A length of time from now, or a moment. */
  deadline: z.union([duration, z.iso.datetime({ offset: true })]).optional(),
});
export type LimitsBody = z.infer<typeof limitsBody>;

const metadataKey = z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/, 'letters, digits, _ . -, at most 64');
/** jsonb takes neither NUL nor half of a surrogate pair. */
const storableText = z.string().refine((text) => !text.includes('\0') && text.isWellFormed(), {
  message: 'must be text without NUL and half characters',
});

export const metadata = z
  .record(metadataKey, storableText.max(500))
  .refine((m) => Object.keys(m).length <= 32, { message: 'at most 32 keys' });

export const startRunBody = z.strictObject({
  /** `name` or `name@version`. */
  agent: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,62}(@[0-9a-f]{8,64})?$/, 'an agent is name or name@version (hexadecimal)'),
  input: inputContent,
  metadata: metadata.optional(),
  limits: limitsBody.optional(),
  startAt: z.iso.datetime({ offset: true }).optional(),
  parentRunId: agentRunId.optional(),
});
export type StartRunBody = z.infer<typeof startRunBody>;

export const runUsage = z.object({
  inputTokens: z.number().int(),
  outputTokens: z.number().int(),
  cacheReadTokens: z.number().int(),
  cacheWriteTokens: z.number().int(),
  modelCalls: z.number().int(),
  toolCalls: z.number().int(),
});

export const unknownCall = z.object({
  step: z.number().int(),
  toolCallId: z.string(),
  tool: z.string(),
  summary: z.string(),
  /** A person is being asked; otherwise the model was told. */
  asked: z.boolean(),
});

export const run = z.object({
  id: z.string(),
  agent: agentName,
  agentVersion: z.string(),
  status: runStatus,
  waiting: waiting.optional(),
  stopReason: runStopReason.optional(),
  error: z.object({ type: z.string(), message: z.string() }).optional(),
  output: z.object({ text: z.string(), content: z.array(z.looseObject({ type: z.string() })) }).optional(),
  steps: z.number().int(),
  usage: runUsage,
  costUsd: z.string(),
  limits: runLimits,
  metadata: z.record(z.string(), z.string()),
  parentRunId: z.string().optional(),
  createdAt: z.iso.datetime(),
  startAt: z.iso.datetime().optional(),
  startedAt: z.iso.datetime().optional(),
  endedAt: z.iso.datetime().optional(),
  /** Calls of which nobody knows whether they happened; only where a single run is read, and only when there are some. */
  unknownCalls: z.array(unknownCall).optional(),
  links: z.object({ console: z.string().optional(), temporal: z.string().optional() }),
});
export type Run = z.infer<typeof run>;

// ---- What passes through Temporal -------------------------------------------------------------------------

/** Input of the workflow, at its start, at a resume, and from one Temporal run to the next at continue-as-new. */
export interface AgentRunInput {
  agentRunId: string;
  control: RunControl;
  paused?: boolean;
  carried?: CarriedState;
}

/** What stood open when one Temporal run handed over to the next. */
export interface CarriedState {
  /** The pause stands in the run's row: its end has to be written there as well. */
  pauseRecorded: boolean;
  pausedBy: string;
  /** Replies in a row that were cut off inside a tool call. */
  cutOffs: number;
  /** The step under way is the last: the run goes round in circles. */
  looping?: boolean;
  /** Status last shown to Temporal's visibility. */
  shown?: RunStatus;
  /** A step in the middle of its tool calls: those without a result. All of them only wait. */
  openStep?: { step: number; calls: OpenToolCall[] };
  /** Updates answered so far, the latest last: Temporal itself forgets their ids when it goes on as a new run. */
  answers: [updateId: string, answer: unknown][];
  /** Signals that are not written down yet. */
  inbox: ReceivedSignal[];
}

/** A Temporal signal that has to be written down: a message for the model, or what could not be honoured. */
export type ReceivedSignal = { content: string } | { ignored: string; reason: string };

/** Control state at a step boundary: the limits and what counts against them. */
export interface RunControl {
  agentName: string;
  tenantId: string;
  limits: ControlLimits;
  used: Used;
  parallelTools: number;
  /** May Temporal signals decide approvals of this agent? */
  signalsDecide: boolean;
  /** Not before this time, in milliseconds since 1970. */
  startAtMs?: number;
  /** MCP servers are to be asked before the first step. */
  mcp?: true;
  /** Goes on as a new Temporal run from so many events of history on. Absent in runs from before: when Temporal suggests it. */
  handOverEvents?: number;
}

export interface ControlLimits {
  maxSteps: number;
  maxTokens: number;
  /** 10^-9 US dollars: an integer, so sums are exact. */
  maxCostNanoUsd: number;
  maxToolCalls: number;
  /** Milliseconds since 1970. */
  deadlineMs: number;
}

/** `steps` is the last finished step: the next one is `steps + 1`. */
export interface Used {
  steps: number;
  tokens: number;
  costNanoUsd: number;
  toolCalls: number;
}

export interface StepInput {
  agentRunId: string;
  step: number;
  /** It has waited for a rate: newcomers stand behind it. */
  queued?: true;
}

export interface ModelCallInput extends StepInput {
  /** How many more tool calls the run may make. Older histories do not say. */
  toolCallsLeft?: number;
}

export interface ToolCallInput extends StepInput {
  toolCallId: string;
}

/** One proposed tool call, as the workflow needs to see it. */
export interface ToolCallControl {
  toolCallId: string;
  /** `settled`: its result is stored already (a rejected call, or one finished before a resume). */
  next: 'execute' | 'ask' | 'sleep' | 'settled';
  /** For Temporal's UI: the tool and its control arguments, at most 180 bytes. */
  summary: string;
  /** One attempt, in milliseconds. */
  timeoutMs: number;
  queue?: string;
  /** A short read, by this tool: run within the workflow task. */
  local?: { tool: string };
  /** With `ask`. */
  approval?: PendingApproval;
  /** With `sleep`: milliseconds since 1970. */
  untilMs?: number;
}

/**
 * How an execution ended. `loop`: the same call with the same result, once too often. `asks`: nobody knows whether it
 * happened, and a person is asked before anything goes on. `waits`: it may not be made yet, because a budget or a rate is
 * used up; in milliseconds since 1970.
 */
export type ToolCallEnd =
  | { outcome: ToolOutcome; loop?: boolean }
  | { outcome: 'asks'; approval: PendingApproval }
  | { outcome: 'waits'; untilMs: number };

/** A call without a result, and how far it has come. */
export interface OpenToolCall extends ToolCallControl {
  /** Its question or its timer is stored. */
  waits?: true;
}

/** `moved`: it takes longer than a workflow task should; an activity of its own goes on with it. */
export type LocalToolResult = ToolCallEnd | { outcome: 'moved' };

/** Known before the question is stored, so that an answer can never arrive too early. */
export interface PendingApproval {
  approvalId: string;
  argumentsDigest: string;
  kind: ApprovalKind;
  /** Milliseconds since 1970. */
  expiresAtMs: number;
  /** So many people must grant the same. Absent: one. */
  approvers?: number;
  /** Grants so far, one per person: the latest stands. */
  votes?: ApprovalVote[];
  /** Still to come, in the order of their times. */
  notices?: { notice: ApprovalNotice; atMs: number }[];
}

export interface ApprovalVote {
  by: Actor;
  /** Of the arguments that they want to run. */
  digest: string;
  /** For like calls of the run as well. */
  run?: true;
}

/** `reminded`: nobody has answered yet. `escalated`: the same, and from now on it is for somebody else. */
export type ApprovalNotice = 'reminded' | 'escalated';

/** The call may not be made yet: a budget or a rate is used up. */
export interface CallModelHeld {
  /** When to ask again, in milliseconds since 1970. */
  heldUntilMs: number;
}

export interface CallModelResult {
  stopReason: ModelStopReason;
  toolCalls: ToolCallControl[];
  /** Among the calls that were rejected is one that was rejected so once too often. */
  loop?: boolean;
  /** All tokens billed for this step. */
  tokens: number;
  costNanoUsd: number;
}

/** A person's (or the clock's) answer, as it passes through the workflow. */
export interface ApprovalDecision {
  approvalId: string;
  /** `withdraw`: the question is moot, because a late result answered it. */
  decision: Decision | 'expire' | 'withdraw';
  /** The digest that was shown. A signal may leave it out. */
  argumentsDigest?: string;
  by: Actor;
  /** Of the message for the model, or of the call's result, when it was stored by the API. */
  messageHash?: string;
  /** Only with a signal, which has nowhere else to put it. */
  messageText?: string;
  /** Likewise: the call's result, any JSON. */
  result?: unknown;
  editedHash?: string;
  scope?: 'once' | 'run';
  /** Everybody whose grant counted, where more than one was needed. */
  voters?: ApprovalVote[];
}

/** What a recorded decision means for the call. */
export interface RecordedDecision {
  next: 'execute' | 'settled';
  status: string;
}

/** `settled`: a late result has answered the question before it was asked. `decided`: a person has, before a reset. */
export interface AskedQuestion {
  settled: boolean;
  decided?: RecordedDecision;
}

export type RunOutcome =
  | { status: 'completed' }
  | { status: 'stopped'; reason: RunStopReason; detail?: string }
  | { status: 'failed'; error: { type: string; message: string } }
  | { status: 'cancelled' };

/** closeRun refuses to complete a run that has unread messages. */
export interface CloseResult {
  closed: boolean;
}
