// One fact about a run: numbered, hash-chained, never changed. Content is named by hash and never carried.
import { z } from 'zod';

export const eventTypes = [
  'run.created',
  'run.started',
  'message.queued',
  'model.requested',
  'model.replied',
  'model.failed',
  'tool.decided',
  'tool.started',
  'tool.failed',
  'tool.unknown',
  'tool.returned',
  'tool.result_late',
  'approval.requested',
  'approval.voted',
  'approval.reminded',
  'approval.escalated',
  'approval.decided',
  'approval.expired',
  'approval.withdrawn',
  'undo.approved',
  'tool.compensating',
  'tool.compensated',
  'undo.finished',
  'tools.pinned',
  'tools.changed',
  'client.requested',
  'client.returned',
  'client.expired',
  'context.compacted',
  'context.offloaded',
  'note.updated',
  'budget.reserved',
  'limit.reached',
  'run.waiting',
  'run.paused',
  'run.resumed',
  'run.forked',
  'run.erased',
  'run.completed',
  'run.stopped',
  'run.failed',
  'run.cancelled',
  'signal.ignored',
  'worker.lost',
  'run.repaired',
] as const;
export const eventType = z.enum(eventTypes);
export type EventType = z.infer<typeof eventType>;

/** After one of these a run does nothing until somebody resumes it; the live stream ends here. */
export const terminalEventTypes: readonly EventType[] = ['run.completed', 'run.stopped', 'run.failed', 'run.cancelled'];

export const actor = z.object({
  kind: z.enum(['user', 'key', 'system', 'model', 'signal']),
  id: z.string(),
});
export type Actor = z.infer<typeof actor>;

/** What a writer gives; number, time and hashes are added when it is appended. */
export interface NewEvent {
  type: EventType;
  actor: Actor;
  step?: number;
  toolCallId?: string;
  /** Ids, counts, verdicts and content hashes. Plain JSON without undefined. */
  data: Record<string, unknown>;
}

export const runEvent = z.object({
  seq: z.number().int().positive(),
  type: eventType,
  at: z.iso.datetime(),
  actor,
  step: z.number().int().optional(),
  toolCallId: z.string().optional(),
  data: z.record(z.string(), z.unknown()),
  prevHash: z.string(),
  hash: z.string(),
});
export type RunEvent = z.infer<typeof runEvent>;

/** `prevHash` of event 1. */
export const GENESIS_HASH = '0'.repeat(64);

export const systemActor = (id: string): Actor => ({ kind: 'system', id });
