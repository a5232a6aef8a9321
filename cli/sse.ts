// Server-sent events over fetch: parsed, resumed after a broken connection from the last number seen.

export interface SseMessage {
  id: number | undefined;
  event: string;
  data: string;
}

/** Parses the lines of a stream. Only whole messages count: what a broken connection cut off is not given out. */
export async function* parseSse(body: AsyncIterable<Uint8Array>): AsyncGenerator<SseMessage | 'comment'> {
  const decoder = new TextDecoder();
  let rest = '';
  let fields: { id?: string; event?: string; data: string[] } = { data: [] };
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (fields.data.length > 0) yield messageOf(fields);
        fields = { data: [] };
      } else if (line.startsWith(':')) {
        yield 'comment';
      } else {
        const [, name, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
        if (name === 'data') fields.data.push(value);
        else if (name === 'id' || name === 'event') fields[name] = value;
      }
    }
  }
}

function messageOf({ id, event, data }: { id?: string; event?: string; data: string[] }): SseMessage {
  return {
    id: id !== undefined && /^\d+$/.test(id) ? Number(id) : undefined,
    event: event ?? 'message',
    data: data.join('\n'),
  };
}

export interface FollowOptions {
  /** Opens the stream after this event. Throws `Fatal` errors as they are; others are tried again. */
  open(after: number, signal: AbortSignal): Promise<Response>;
  after: number;
  /** The server has closed the stream after this event: is that the end? */
  isOver(last: number, lastEvent: string | undefined): Promise<boolean>;
  /** Is there any sense in opening again after this error? */
  isFatal(err: unknown): boolean;
  onLost?: (delayMs: number) => void;
  onBack?: () => void;
  signal: AbortSignal;
}

const FIRST_DELAY_MS = 250;
const LAST_DELAY_MS = 5000;
/** The server sends a comment every 15 seconds; a connection that is silent for longer than this is dead. */
const SILENCE_MS = 45_000;

/** Every message once and in order, however often the connection breaks. */
export async function* follow(options: FollowOptions): AsyncGenerator<SseMessage> {
  const { signal } = options;
  let last = options.after;
  let lastEvent: string | undefined;
  let delay = FIRST_DELAY_MS;
  let lost = false;
  while (!signal.aborted) {
    const connection = new AbortController();
    const stop = (): void => connection.abort();
    signal.addEventListener('abort', stop, { once: true });
    const watchdog = setTimeout(stop, SILENCE_MS);
    let gap = false;
    try {
      const response = await options.open(last, connection.signal);
      if (lost) options.onBack?.();
      lost = false;
      for await (const message of parseSse(response.body ?? emptyBody())) {
        watchdog.refresh();
        delay = FIRST_DELAY_MS;
        if (message === 'comment') continue;
        if (message.id !== undefined) {
          if (message.id <= last) continue;
          gap = message.id > last + 1;
          if (gap) break; // asked for again from where we are
          last = message.id;
          lastEvent = message.event;
        }
        yield message;
      }
      if (!gap && (await options.isOver(last, lastEvent))) return;
    } catch (err) {
      if (signal.aborted) return;
      if (options.isFatal(err)) throw err;
    } finally {
      clearTimeout(watchdog);
      signal.removeEventListener('abort', stop);
      connection.abort();
    }
    lost = true;
    options.onLost?.(delay);
    await pause(delay, signal);
    delay = Math.min(LAST_DELAY_MS, delay * 2);
  }
}

async function* emptyBody(): AsyncGenerator<Uint8Array> {}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
