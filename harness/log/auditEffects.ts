// Who did what, by which rule and with whose approval: one entry for each time that a tool began, read from a run's events.
import type { AuditEffect } from '../../contracts/audit.js';
import type { Actor, RunEvent } from '../../contracts/events.js';

export class AuditEffects {
  private readonly effects: AuditEffect[] = [];
  private agent = { agent: '', agentVersion: '' };
  private startedBy: Actor = { kind: 'system', id: '' };

  constructor(private readonly runId: string) {}

  take(event: RunEvent): void {
    const { type, actor, toolCallId, data } = event;
    if (type === 'run.created') {
      this.agent = { agent: text(data['agent']), agentVersion: text(data['agentVersion']) };
      this.startedBy = actor;
      return;
    }
    if (toolCallId === undefined) return;
    if (type === 'tool.started') this.effects.push(this.effectOf(event, toolCallId, {}));
    // A person has approved the plan; its effect is whatever the tool does to take a call back.
    else if (type === 'tool.compensating') {
      const of = { effect: 'compensation', rule: 'undo' };
      this.effects.push(this.effectOf(event, toolCallId, of));
    } else if (type === 'tool.returned' || type === 'tool.result_late') {
      this.ended(toolCallId, (effect) => effect !== 'compensation', data);
    } else if (type === 'tool.compensated') {
      this.ended(toolCallId, (effect) => effect === 'compensation', data);
    }
  }

  private ended(toolCallId: string, isMeant: (effect: string) => boolean, data: RunEvent['data']): void {
    const began = this.effects.findLast((one) => one.toolCallId === toolCallId && isMeant(one.effect));
    if (began) began.outcome = text(data['outcome']);
  }

  /** In the order in which they began. */
  all(): AuditEffect[] {
    return this.effects;
  }

  private effectOf(
    { seq, at, step, data }: RunEvent,
    toolCallId: string,
    of: { effect?: string; rule?: string },
  ): AuditEffect {
    const approvers = (data['approvers'] ?? (data['approvedBy'] ? [data['approvedBy']] : [])) as Actor[];
    return {
      runId: this.runId,
      seq,
      at,
      ...this.agent,
      startedBy: this.startedBy,
      ...(step === undefined ? {} : { step }),
      toolCallId,
      tool: text(data['tool']),
      effect: of.effect ?? text(data['effect']),
      rule: of.rule ?? text(data['rule']),
      argumentsDigest: text(data['argumentsDigest']),
      attempt: Number(data['attempt'] ?? 1),
      approvers,
      ...(typeof data['approvalId'] === 'string' ? { approvalId: data['approvalId'] } : {}),
    };
  }
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
