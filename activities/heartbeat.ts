// Tells Temporal on a timer that this attempt is alive, and brings its cancellation back.
import { Context } from '@temporalio/activity';

/** Well under the heartbeat time-out of workflows/activityProxies.ts; a cancellation arrives within about this time. */
const BEAT_MS = 1000;

/** Beats until the returned function is called; not at once, because every beat is written down by the server. */
export function startHeartbeat(): () => void {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat(), BEAT_MS);
  return () => clearInterval(timer);
}
