// Which calls were under way when a process was killed: those alone may be made once more.
import type { RunEvent } from '../../contracts/events.js';
import type { Hit } from './pass.js';

/** Tool calls that had been started and had not returned, and how many kills each was hit by. */
export const callsInFlight = (events: readonly RunEvent[], hits: readonly Hit[]): Map<string, number> =>
  countOpen(events, hits, 'tool.started', 'tool.returned', (e) => e.toolCallId);

/** Steps whose model call had been begun and had no stored reply. */
export const stepsInFlight = (events: readonly RunEvent[], hits: readonly Hit[]): Map<number, number> =>
  countOpen(events, hits, 'model.requested', 'model.replied', (e) => e.step);

function countOpen<K>(
  events: readonly RunEvent[],
  hits: readonly Hit[],
  begin: RunEvent['type'],
  end: RunEvent['type'],
  keyOf: (event: RunEvent) => K | undefined,
): Map<K, number> {
  const counts = new Map<K, number>();
  for (const { lastSeq } of hits) {
    const open = new Set<K>();
    for (const event of events.slice(0, lastSeq)) {
      const key = keyOf(event);
      if (key === undefined) continue;
      if (event.type === begin) open.add(key);
      if (event.type === end) open.delete(key);
    }
    for (const key of open) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}
