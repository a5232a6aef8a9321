// What Temporal's SDK says about a history that does not replay, as a person reads it.
import type { History, HistoryEvent as Event } from './openHistories.js';

/** Of Temporal's API, EventType: those that a command of the workflow made. */
const NAMES: Record<string, string> = {
  activityTaskScheduledEventAttributes: 'ActivityTaskScheduled',
  activityTaskCancelRequestedEventAttributes: 'ActivityTaskCancelRequested',
  timerStartedEventAttributes: 'TimerStarted',
  timerCanceledEventAttributes: 'TimerCanceled',
  markerRecordedEventAttributes: 'MarkerRecorded',
  upsertWorkflowSearchAttributesEventAttributes: 'UpsertWorkflowSearchAttributes',
  workflowExecutionUpdateAcceptedEventAttributes: 'WorkflowExecutionUpdateAccepted',
  workflowExecutionUpdateCompletedEventAttributes: 'WorkflowExecutionUpdateCompleted',
  workflowExecutionContinuedAsNewEventAttributes: 'WorkflowExecutionContinuedAsNew',
  workflowExecutionCompletedEventAttributes: 'WorkflowExecutionCompleted',
  workflowExecutionFailedEventAttributes: 'WorkflowExecutionFailed',
  workflowExecutionCanceledEventAttributes: 'WorkflowExecutionCanceled',
};

const nameOf = (event: Event): string | undefined => Object.entries(NAMES).find(([field]) => isSet(event, field))?.[1];
const isSet = (event: Event, field: string): boolean => Boolean((event as Record<string, unknown>)[field]);

export function describeEvent(event: Event): { type: string; what: string } {
  const type = nameOf(event) ?? 'event';
  const activity = event.activityTaskScheduledEventAttributes;
  const marker = event.markerRecordedEventAttributes;
  const what = activity
    ? `activity ${activity.activityType?.name ?? '?'} (number ${activity.activityId})`
    : marker
      ? `marker ${marker.markerName}`
      : type;
  return { type, what };
}

/** Among what the last finished task of this history led to: the event that the message names, else the first. */
export function firstDivergingEvent({ events = [] }: History, message: string): Event | undefined {
  const all = events ?? [];
  const task = all.findLastIndex((e) => e.workflowTaskCompletedEventAttributes);
  const made = all.slice(task + 1).filter((e) => nameOf(e) !== undefined);
  const id = /HistoryEvent\(id: (\d+)/.exec(message)?.[1];
  const type = /of scheduled event '([^']+)' does not match/.exec(message)?.[1];
  return (
    made.find((e) => id !== undefined && String(e.eventId) === id) ??
    made.find((e) => {
      const scheduled = e.activityTaskScheduledEventAttributes;
      return type !== undefined && (scheduled?.activityType?.name === type || scheduled?.activityId === type);
    }) ??
    made[0]
  );
}

const SAYS: [RegExp, (match: RegExpExecArray) => string][] = [
  [
    /Activity type of scheduled event '([^']+)' does not match activity type of activity command '([^']+)'/,
    ([, then, now]) => `the history has activity ${then} where this code runs ${now}`,
  ],
  [
    /Activity id of scheduled event '([^']+)' does not match activity id of activity command '([^']+)'/,
    ([, then, now]) => `the history has activity number ${then} where this code runs its number ${now}`,
  ],
  [
    /No command scheduled for event HistoryEvent\(id: \d+, (\w+)\)/,
    ([, event]) => `the history has ${event} where this code does nothing more`,
  ],
  [
    /(\w+) machine does not handle this event: HistoryEvent\(id: \d+, (\w+)\)/,
    ([, machine, event]) => `the history has ${event} where this code has a command for ${machine?.toLowerCase()}`,
  ],
];

export function inWords(message: string, event: Event | undefined): string {
  for (const [pattern, say] of SAYS) {
    const match = pattern.exec(message);
    if (match) return say(match);
  }
  if (/nondeterminism/i.test(message)) {
    return `this code does not do what the history has${event ? ` (${describeEvent(event).what})` : ''}`;
  }
  return `this code fails on it: ${firstMessageIn(message)}`;
}

const firstMessageIn = (text: string): string => /message: "((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ?? text;
