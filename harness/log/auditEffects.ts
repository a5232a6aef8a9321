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
    } else if (type === 'tool.started' && toolCallId !== undefined) {
      this.effects.push(this.effectOf(event, toolCallId));
    } else if (type === 'tool.returned' && toolCallId !== undefined) {
      const began = this.effects.findLast((effect) => effect.toolCallId === toolCallId);
      if (began) began.outcome = text(data['outcome']);
    }
  }

  /** In the order in which they began. */
  all(): AuditEffect[] {
    return this.effects;
  }

  private effectOf({ seq, at, step, data }: RunEvent, toolCallId: string): AuditEffect {
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
      effect: text(data['effect']),
      rule: text(data['rule']),
      argumentsDigest: text(data['argumentsDigest']),
      attempt: Number(data['attempt'] ?? 1),
      approvers,
      ...(typeof data['approvalId'] === 'string' ? { approvalId: data['approvalId'] } : {}),
    };
  }
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
