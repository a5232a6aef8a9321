// What a run answers to while it runs: updates for callers that need the answer, signals for Temporal's own tools.
import { ApplicationFailure, condition, currentUpdateInfo, setHandler } from '@temporalio/workflow';
import type { ApprovalDecision, ReceivedSignal } from '../contracts/agentRun.js';
import { type Decision, decisions } from '../contracts/decisions.js';
import type { UpdateRefusal } from '../contracts/failures.js';
import { checkEdit, recordVote } from './activityProxies.js';
import * as protocol from './protocol.js';
import type { RunState } from './runState.js';
import { emptyInbox, writeDown } from './signals.js';

export function registerHandlers(run: RunState): void {
  setHandler(protocol.getRun, () => run.view(), { description: 'Where the run is: counts, limits, open questions' });

  setHandler(
    protocol.decideApproval,
    async (d) => {
      const before = run.answers.current();
      if (before) return before.answer as { status: string };
      const id = currentUpdateInfo()?.id;
      const question = run.decide(d);
      if (!question.decision) await run.underWay(() => recordVote({ agentRunId: run.agentRunId, decision: d }));
      else await condition(() => question.recorded !== undefined);
      const answer = { status: question.recorded?.status ?? (question.decision ? 'cancelled' : 'pending') };
      run.answers.keep(id, answer);
      return answer;
    },
    {
      validator: (d) => refuse(run.answers.current() ? undefined : run.refusal(d)),
      description: 'Decide an approval',
    },
  );
  setHandler(protocol.pause, ({ by }) => run.answers.once(() => run.setPaused(true, by)), {
    description: 'Pause at the next step boundary',
  });
  setHandler(
    protocol.resume,
    ({ by, limits }) =>
      run.answers.once(() => {
        if (limits) run.setLimits(limits);
        run.setPaused(false, by);
      }),
    {
      validator: (_) => refuse(run.paused || run.answers.current() ? undefined : 'RunNotPaused'),
      description: 'Go on after a pause',
    },
  );
  setHandler(protocol.raiseLimits, (limits) => run.answers.once(() => run.setLimits(limits)), {
    description: 'Replace the limits',
  });

  const onDecisionSignal = (decision: Decision) => async (signal: unknown) => {
    const given = decisionOf(decision, signal);
    const refused = signalRefusal(run, given) ?? (given && (await editRefusal(run, given, signal)));
    if (refused) return writeDown(run, { ignored: decision, reason: refused });
    run.decide(given as ApprovalDecision);
  };
  setHandler(protocol.approve, onDecisionSignal('approve'), {
    description: 'Approve a tool call: {"approvalId": "apr_…"}',
  });
  setHandler(protocol.reject, onDecisionSignal('reject'), {
    description: 'Reject a tool call: {"approvalId": "apr_…", "message": "why"}',
  });
  setHandler(
    protocol.decide,
    async (signal: unknown) => {
      const { decision } = (typeof signal === 'object' && signal !== null ? signal : {}) as { decision?: unknown };
      const known = decisions.find((d) => d === decision);
      if (known) return onDecisionSignal(known)(signal);
      const reason = `decision must be one of ${decisions.join(', ')}`;
      return writeDown(run, { ignored: 'decide', reason });
    },
    { description: 'Any decision: {"approvalId": "apr_…", "decision": "respond", "message": "…"}' },
  );
  setHandler(protocol.resultArrived, ({ approvalId }) => run.withdraw(approvalId), {
    description: 'From a worker: the result of a call came late',
  });
  setHandler(protocol.limitsChanged, () => void (run.limitChanges += 1), {
    description: 'A budget or a rate was raised: whoever waits for one looks again',
  });
  setHandler(protocol.message, (signal) => writeDown(run, messageOf(signal)), {
    description: 'Tell the model something: {"content": "text"}',
  });
  void emptyInbox(run); // what a hand-over brought along
}

function messageOf(signal: unknown): ReceivedSignal {
  const content = typeof signal === 'string' ? signal : (signal as { content?: unknown } | null)?.content;
  return typeof content === 'string' && content.length > 0
    ? { content }
    : { ignored: 'message', reason: 'a message signal takes {"content": "text"}' };
}

function refuse(type: UpdateRefusal | undefined): void {
  if (type) throw ApplicationFailure.create({ type, message: type, nonRetryable: true });
}

// A signal comes from anybody with access to Temporal, as any JSON: its shape is checked here.
function decisionOf(decision: Decision, signal: unknown): ApprovalDecision | undefined {
  const s = (typeof signal === 'string' ? { approvalId: signal } : signal) as Partial<protocol.DecisionSignal> | null;
  if (typeof s?.approvalId !== 'string') return undefined;
  return {
    approvalId: s.approvalId,
    decision,
    by: { kind: 'signal', id: 'temporal' },
    ...(typeof s.argumentsDigest === 'string' ? { argumentsDigest: s.argumentsDigest } : {}),
    ...(typeof s.message === 'string' && s.message !== '' ? { messageText: s.message.slice(0, 20_000) } : {}),
    ...((decision === 'succeeded' || decision === 'failed') && s.result !== undefined ? { result: s.result } : {}),
  };
}

/** Edited arguments pass schema and policy again and are stored; whoever is first while that goes on decides. */
async function editRefusal(run: RunState, d: ApprovalDecision, signal: unknown): Promise<string | undefined> {
  if (d.decision !== 'edit') return undefined;
  const { agentRunId } = run;
  const { arguments: args } = signal as Partial<protocol.DecisionSignal>;
  if (typeof args !== 'object' || args === null) return 'edit takes {"arguments": {…}}';
  const checked = await run.underWay(() => checkEdit({ agentRunId, approvalId: d.approvalId, arguments: args }));
  if ('refused' in checked) return checked.refused;
  d.editedHash = checked.editedHash;
  return signalRefusal(run, d);
}

function signalRefusal(run: RunState, d: ApprovalDecision | undefined): string | undefined {
  if (!d) return 'an approval signal takes {"approvalId": "apr_…"}';
  if (!run.control.signalsDecide) return `signals may not decide approvals of this agent (${d.approvalId})`;
  const refused = run.refusal(d);
  if (refused) return `${refused}: ${d.approvalId}`;
  const answered = d.messageText !== undefined || d.result !== undefined;
  if (!answered && d.decision === 'respond') return 'respond takes {"message": "the answer"}';
  if (!answered && d.decision === 'failed') return 'failed takes {"result": …} or {"message": "…"}';
  if (!answered && d.decision === 'succeeded') return 'succeeded takes {"result": …} or {"message": "…"}';
  return undefined;
}
