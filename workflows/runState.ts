// What a run keeps between steps and carries over continue-as-new. A plain class: rules, no Temporal.
import type {
  AgentRunInput,
  ApprovalDecision,
  CallModelResult,
  ControlLimits,
  PendingApproval,
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
  /** Who asked last for pause or resume: an actor's id. */
  pausedBy = '';
  /** Status last shown to Temporal's visibility. */
  shown: RunStatus | undefined;
  // Emptied as they are answered, so it is never larger than one step's calls.
  private readonly questions = new Map<string, Question>();
  private cutOffs = 0;

  constructor(input: AgentRunInput) {
    this.agentRunId = input.agentRunId;
    this.control = structuredCopy(input.control);
    this.paused = input.paused ?? false;
  }

  carried(): AgentRunInput {
    return { agentRunId: this.agentRunId, control: this.control, paused: this.paused };
  }

  nextStep(): StepInput {
    this.phase = 'model';
    return { agentRunId: this.agentRunId, step: this.control.used.steps + 1 };
  }

  charge(reply: Pick<CallModelResult, 'tokens' | 'costNanoUsd'>): void {
    const { used } = this.control;
    used.steps += 1;
    used.tokens += reply.tokens;
    used.costNanoUsd += reply.costNanoUsd;
  }

  limitReached(): RunStopReason | undefined {
    const { used, limits } = this.control;
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

  /** The model is told when a call of its was cut off; doing it again and again ends the run. */
  cutOffTooOften(stopReason: ModelStopReason): boolean {
    this.cutOffs = stopReason === 'tool_use' ? 0 : this.cutOffs + 1;
    return this.cutOffs >= MAX_CUT_OFFS;
  }

  setLimits(limits: ControlLimits): void {
    this.control.limits = { ...limits };
  }

  setPaused(paused: boolean, by: string): void {
    this.paused = paused;
    this.pausedBy = by;
  }

  // ---- Questions to people ----

  ask(approval: PendingApproval): Question {
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
    const { argumentsDigest, kind } = question.approval;
    if (d.argumentsDigest !== undefined && d.argumentsDigest !== argumentsDigest) return 'ApprovalDigestMismatch';
    const taken: readonly string[] = decisionsOf[kind];
    return taken.includes(d.decision) ? undefined : 'DecisionNotTaken';
  }

  /** Takes a decision that `refusal` let through. The first one stands. */
  decide(d: ApprovalDecision): Question {
    const question = this.questions.get(d.approvalId) as Question;
    question.decision = d;
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
