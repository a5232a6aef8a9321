// One listening connection per process, while somebody reads: without a listener PostgreSQL has nobody to wake at every
// step of every run. Every live reader is woken through it.
import { setImmediate } from 'node:timers/promises';
import { DELTAS_CHANNEL, type Delta } from '../db/deltas.js';
import { EVENTS_CHANNEL } from '../db/events.js';
import { type Listener, listen } from '../db/listen.js';

export interface Reader {
  /** There may be new events. Called often; must be cheap. */
  wake(): void;
  delta?(delta: Delta): void;
  /** The process stops: end cleanly, now. The reader comes back with Last-Event-ID to another process. */
  end(): void;
}

export interface StreamHub {
  /** Returns how to leave. */
  join(agentRunId: string, reader: Reader): () => void;
  readonly readers: number;
  /** Ends every stream, and those that come later at once. */
  endAll(): Promise<void>;
  close(): Promise<void>;
}

/** A reader that reconnects finds it still there. In milliseconds. */
const LINGER_MS = 10_000;

export function createStreamHub(databaseUrl: string, onError: (err: Error) => void, lingerMs = LINGER_MS): StreamHub {
  const readers = new Map<string, Set<Reader>>();
  let ending = false;
  const of = (agentRunId: string): Iterable<Reader> => readers.get(agentRunId) ?? [];
  const start = (): Listener =>
    listen(databaseUrl, {
      channels: [EVENTS_CHANNEL, DELTAS_CHANNEL],
      onNotification(channel, payload) {
        if (channel === EVENTS_CHANNEL) {
          for (const reader of of(payload)) reader.wake();
          return;
        }
        const delta = JSON.parse(payload) as Delta;
        for (const reader of of(delta.runId)) reader.delta?.(delta);
      },
      // What was said while nobody listened is in the log: everybody looks.
      onConnected() {
        for (const set of readers.values()) for (const reader of set) reader.wake();
      },
      onError,
    });
  let listener: Listener | undefined;
  let idle: NodeJS.Timeout | undefined;
  const stop = async (): Promise<void> => {
    clearTimeout(idle);
    const closing = listener;
    listener = undefined;
    await closing?.close();
  };
  return {
    join(agentRunId, reader) {
      const set = readers.get(agentRunId) ?? new Set();
      readers.set(agentRunId, set.add(reader));
      clearTimeout(idle);
      listener ??= start();
      if (ending) reader.end();
      return () => {
        set.delete(reader);
        if (set.size === 0 && readers.get(agentRunId) === set) readers.delete(agentRunId);
        if (readers.size === 0) idle = setTimeout(() => void stop(), lingerMs).unref();
      };
    },
    get readers() {
      return [...readers.values()].reduce((sum, set) => sum + set.size, 0);
    },
    async endAll() {
      ending = true;
      for (const set of readers.values()) for (const reader of set) reader.end();
      // Their connections count as open until what was written has left; the server closes after that.
      await setImmediate();
    },
    close: stop,
  };
}
