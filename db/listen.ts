// Hears PostgreSQL notifications on one connection of its own and connects again when it breaks.
import { Client } from 'pg';

export interface Listener {
  close(): Promise<void>;
}

export interface ListenOptions {
  channels: readonly string[];
  onNotification: (channel: string, payload: string) => void;
  /** After each (re)connect: whatever was said in between was not heard, so readers must look for themselves. */
  onConnected: () => void;
  onError?: (err: Error) => void;
}

/** Pause before another attempt to connect, in milliseconds. */
const RECONNECT_MS = 500;

/** Starts listening; it keeps trying until closed and never throws. */
export function listen(url: string, options: ListenOptions): Listener {
  let closed = false;
  let client: Client | undefined;
  let retry: NodeJS.Timeout | undefined;

  const connect = async (): Promise<void> => {
    const next = new Client({ connectionString: url, application_name: 'longhaul-listen', keepAlive: true });
    client = next;
    next.on('error', (err) => lost(next, err));
    next.on('end', () => lost(next));
    next.on('notification', (n) => options.onNotification(n.channel, n.payload ?? ''));
    try {
      await next.connect();
      for (const channel of options.channels) await next.query(`LISTEN ${next.escapeIdentifier(channel)}`);
      if (!closed) options.onConnected();
    } catch (err) {
      lost(next, err as Error);
    }
  };

  const lost = (which: Client, err?: Error): void => {
    if (closed || which !== client) return;
    client = undefined;
    if (err) options.onError?.(err);
    void which.end().catch(() => undefined);
    retry = setTimeout(() => void connect(), RECONNECT_MS);
  };

  void connect();
  return {
    async close() {
      closed = true;
      clearTimeout(retry);
      await client?.end().catch(() => undefined);
    },
  };
}
