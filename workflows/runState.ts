// What a run keeps between steps and carries over continue-as-new. A plain class: rules, no Temporal.
import type {
  AgentRunInput,
  ApprovalDecision,
  CallModelResult,
  ControlLimits,
  OpenToolCall,
  PendingApproval,
  ReceivedSignal,
  RecordedDecision,
  RunControl,
  RunStatus,
  RunStopReason,
  StepInput,
} from '../contracts/agentRun.js';
import { decisionsOf } from '../contracts/decisions.js';
import type { ModelStopReason } from '../contracts/conversation.js';
import type { UpdateRefusal } from '../contracts/failures.js';
import type { RunView } from './protocol.js';
import { afterVote, hasVoted, knownDigests, needsMore } from './quorum.js';
import { UpdateAnswers } from './updateAnswers.js';

/** A question to a person while it is open. */
export interface Question {
  readonly approval: PendingApproval;
  decision?: ApprovalDecision;
  recorded?: RecordedDecision;
}

/** Replies in a row that were cut off inside a tool call; one more and the run stops. */
const MAX_CUT_OFFS = 3;

export class RunState {
  readonly agentRunId: string;
  readonly control: RunControl;
  phase: RunView['phase'] = 'starting';
  paused: boolean;
  /** Counts what has been told of limits: waits for one look again. */
  limitChanges = 0;
  /** The step under way has waited for a rate. */
  queued = false;
  /** Who asked last for pause or resume: an actor's id. */
  pausedBy = '';
  pauseRecorded: boolean;
  /** Status last shown to Temporal's visibility. */
  shown: RunStatus | undefined;
  /** Signals that are not written down yet. */
  readonly inbox: ReceivedSignal[];
  readonly answers: UpdateAnswers;
  // Emptied as they are answered, so it is never larger than one step's calls.
  private readonly questions = new Map<string, Question>();
  // The calls of the step under way that have no result yet, by their ids.
  private openCalls: { step: number; calls: Map<string, OpenToolCall> } | undefined;
  private cutOffs: number;
  private looping: boolean;
  private activities = 0;
  private leaving = false;

  constructor({ agentRunId, control, paused, carried }: AgentRunInput) {
    this.agentRunId = agentRunId;
    this.control = structuredCopy(control);
    this.paused = paused ?? false;
    this.pausedBy = carried?.pausedBy ?? '';
    this.pauseRecorded = carried?.pauseRecorded ?? false;
    this.shown = carried?.shown;
    this.cutOffs = carried?.cutOffs ?? 0;
    this.looping = carried?.looping ?? false;
    this.answers = new UpdateAnswers(carried?.answers);
    this.inbox = [...(carried?.inbox ?? [])];
    if (carried?.openStep) this.openStep(carried.openStep.step, carried.openStep.calls);
  }

  // ---- Handing over to a new Temporal run ----

  /** Runs an activity. Once the run is being handed over none begins: the next Temporal run comes to it again. */
  async underWay<T>(activity: () => Promise<T>): Promise<T> {
    if (this.leaving) await new Promise<never>(() => undefined);
    this.activities += 1;
    try {
      return await activity();
    } finally {
      this.activities -= 1;
    }
  }

  get busy(): boolean {
    return this.activities > 0;
  }

  /** Nothing is under way: whatever is open waits for a person, a timer or the next step. */
  get atRest(): boolean {
    return !this.busy && ![...this.questions.values()].some((q) => q.decision);
  }

  get isLeaving(): boolean {
    return this.leaving;
  }

  /** Everything that the next Temporal run needs. Nothing may change after it. */
  leave(): AgentRunInput {
    this.leaving = true;
    const { openCalls } = this;
    return {
      agentRunId: this.agentRunId,
      control: this.control,
      paused: this.paused,
      carried: {
        pauseRecorded: this.pauseRecorded,
        pausedBy: this.pausedBy,
        cutOffs: this.cutOffs,
        ...(this.looping ? { looping: true } : {}),
        ...(this.shown === undefined ? {} : { shown: this.shown }),
        ...(openCalls ? { openStep: { step: openCalls.step, calls: [...openCalls.calls.values()] } } : {}),
        answers: this.answers.kept(),
        inbox: this.inbox,
      },
    };
  }

  // ---- Steps ----

  nextStep(): StepInput {
    this.phase = 'model';
    const step = { agentRunId: this.agentRunId, step: this.control.used.steps + 1 };
    return this.queued ? { ...step, queued: true } : step;
  }

  charge(reply: Pick<CallModelResult, 'tokens' | 'costNanoUsd'>): void {
    const { used } = this.control;
    used.steps += 1;
    used.tokens += reply.tokens;
    used.costNanoUsd += reply.costNanoUsd;
    this.queued = false;
  }

  limitReached(): RunStopReason | undefined {
    const { used, limits } = this.control;
    if (this.looping) return 'loop';
    if (used.steps >= limits.maxSteps) return 'limit_steps';
    if (used.tokens >= limits.maxTokens) return 'limit_tokens';
    if (used.costNanoUsd >= limits.maxCostNanoUsd) return 'limit_cost';
    return undefined;
  }

  /** Counts calls that are about to run; false when they would go over the limit, and then none may run. */
  takeToolCalls(count: number): boolean {
    const { used, limits } = this.control;
    if (used.toolCalls + count > limits.maxToolCalls) return false;
    used.toolCalls += count;
    return true;
  }

  get toolCallsLeft(): number {
    const { used, limits } = this.control;
    return limits.maxToolCalls - used.toolCalls;
  }

  /** The model is told when a call of its was cut off; doing it again and again ends the run. */
  cutOffTooOften(stopReason: ModelStopReason): boolean {
    this.cutOffs = stopReason === 'tool_use' ? 0 : this.cutOffs + 1;
    return this.cutOffs >= MAX_CUT_OFFS;
  }

  /** Notes what a reply or the end of a call says about going round in circles. The step is finished all the same. */
  watchLoop({ loop = false }: { loop?: boolean }): void {
    this.looping ||= loop;
  }

  openStep(step: number, calls: readonly OpenToolCall[]): void {
    this.openCalls = { step, calls: new Map(calls.map((call) => [call.toolCallId, call])) };
    // At once: a decision may come with the first task of a Temporal run.
    for (const { next, approval } of calls) if (next === 'ask' && approval) this.ask(approval);
  }

  /** The step that was in the middle of its tool calls when this Temporal run began. */
  get stepInTheMiddle(): { step: StepInput; calls: OpenToolCall[] } | undefined {
    if (!this.openCalls) return undefined;
    const { step, calls } = this.openCalls;
    return { step: { agentRunId: this.agentRunId, step }, calls: [...calls.values()] };
  }

  hasResult(toolCallId: string): void {
    this.openCalls?.calls.delete(toolCallId);
  }

  closeStep(): void {
    this.openCalls = undefined;
  }

  setLimits(limits: ControlLimits): void {
    this.control.limits = { ...limits };
    this.limitChanges += 1;
  }

  setPaused(paused: boolean, by: string): void {
    this.paused = paused;
    this.pausedBy = by;
  }

  // ---- Questions to people ----

  ask(approval: PendingApproval): Question {
    const open = this.questions.get(approval.approvalId);
    if (open) return open;
    const question: Question = { approval };
    this.questions.set(approval.approvalId, question);
    return question;
  }

  answered(question: Question): void {
    this.questions.delete(question.approval.approvalId);
  }

  get waitsForPeople(): boolean {
    return this.questions.size > 0;
  }

  question(approvalId: string): Question | undefined {
    return this.questions.get(approvalId);
  }

  /** Why a decision cannot be taken, or undefined when it can. */
  refusal(d: ApprovalDecision): UpdateRefusal | undefined {
    const question = this.questions.get(d.approvalId);
    if (!question || question.decision) return 'ApprovalNotPending';
    const { approval } = question;
    const known = knownDigests(approval);
    if (d.argumentsDigest !== undefined && !known.includes(d.argumentsDigest)) return 'ApprovalDigestMismatch';
    const taken: readonly string[] = decisionsOf[approval.kind];
    if (!taken.includes(d.decision)) return 'DecisionNotTaken';
    return hasVoted(approval, d) ? 'AlreadyVoted' : undefined;
  }

  /** Takes a decision that `refusal` let through. The first one stands; where several must agree, the one that completes. */
  decide(d: ApprovalDecision): Question {
    const question = this.questions.get(d.approvalId) as Question;
    const decided = needsMore(question.approval, d) ? afterVote(question.approval, d) : d;
    if (decided) question.decision = decided;
    return question;
  }

  /** A late result has answered the question what became of a call. Nothing else is withdrawn. */
  withdraw(approvalId: string): void {
    const question = this.questions.get(approvalId);
    if (question?.approval.kind !== 'outcome' || question.decision) return;
    question.decision = { approvalId, decision: 'withdraw', by: { kind: 'system', id: 'worker' } };
  }

  view(): RunView {
    return {
      phase: this.phase,
      step: this.control.used.steps,
      used: this.control.used,
      limits: this.control.limits,
      pendingApprovals: [...this.questions.values()].map((q) => q.approval),
    };
  }
}

// The workflow sandbox has no structuredClone; the state is plain JSON.
const structuredCopy = (control: RunControl): RunControl => ({
  ...control,
  limits: { ...control.limits },
  used: { ...control.used },
});
