// The log as what happened, attempts apart: one thread for each tool call, one for everything else along the run.
import type { RunEvent } from '../../contracts/events.js';
import type { RunRecord } from './record.js';

export interface Fact {
  step: number;
  text: string;
}

/** They tell what was killed and tried again, not what the run did. */
const OF_ATTEMPTS: ReadonlySet<RunEvent['type']> = new Set([
  'model.failed',
  'tool.failed',
  'worker.lost',
  'run.repaired',
]);
/** Facts about an attempt, of this run alone, or of the time. */
const LEFT_OUT = new Set(
  (
    'attempt idempotencyKey requestHash providerRequestId approvalId approvalIds code messageId agentVersion limits ' +
    'since until expiresAt costUsd usage'
  ).split(' '),
);
const OF_THE_OUTCOME = new Set(['outcome', 'isError', 'resultHash']);

export const RUN_THREAD = 'the run';

/** `excused`: calls that are unknown as it has to be; how they ended is not compared. */
export function threadsOf({ events, agent }: RunRecord, excused: ReadonlySet<string>): Map<string, Fact[]> {
  const threads = new Map<string, Fact[]>();
  for (const event of events) {
    const { type, step = 0, toolCallId, data, actor } = event;
    if (OF_ATTEMPTS.has(type) || isLaterAttempt(event)) continue;
    const unknown = toolCallId !== undefined && excused.has(toolCallId);
    const kept = Object.entries(data)
      .filter(([name]) => !LEFT_OUT.has(name) && !(unknown && OF_THE_OUTCOME.has(name)))
      .toSorted(([a], [b]) => (a < b ? -1 : 1));
    const text = `${type} ${toolCallId ?? (step || '')} by ${actor.kind} ${JSON.stringify(Object.fromEntries(kept))}`;
    const thread = toolCallId ?? RUN_THREAD;
    const facts = threads.get(thread) ?? [];
    facts.push({ step, text: text.replaceAll(agent, 'AGENT') });
    threads.set(thread, facts);
  }
  return threads;
}

/** The model waited for, after a failure, is an attempt's as well. */
const isLaterAttempt = ({ type, data }: RunEvent): boolean =>
  ((type === 'model.requested' || type === 'tool.started') && Number(data['attempt']) > 1) ||
  (type === 'run.waiting' && data['for'] === 'model');
