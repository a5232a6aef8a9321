// What the command touches outside of itself: streams, environment, the person at the keyboard. Tests give their own.
import { createInterface } from 'node:readline/promises';

export interface Io {
  out(text: string): void;
  err(text: string): void;
  env: Readonly<Record<string, string | undefined>>;
  /** Standard output is a terminal. */
  isTerminal: boolean;
  /** A person can be asked: input and output are terminals. */
  canAsk: boolean;
  columns(): number;
  /** The answer, or undefined when input ended or the question was interrupted. */
  ask(question: string): Promise<string | undefined>;
  readStdin(): Promise<string>;
  /** Calls back at Ctrl-C; returns how to stop listening. */
  onInterrupt(handler: () => void): () => void;
}

export const processIo = (): Io => ({
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  env: process.env,
  isTerminal: process.stdout.isTTY,
  canAsk: process.stdin.isTTY && process.stdout.isTTY,
  // A terminal that does not know its width says 0.
  columns: () => process.stdout.columns || 100,
  ask,
  async readStdin() {
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin as AsyncIterable<Buffer>) chunks.push(chunk);
    return Buffer.concat(chunks).toString('utf8');
  },
  onInterrupt(handler) {
    process.on('SIGINT', handler);
    return () => void process.removeListener('SIGINT', handler);
  },
});

async function ask(question: string): Promise<string | undefined> {
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  const gone = new AbortController();
  lines.once('SIGINT', () => gone.abort());
  lines.once('close', () => gone.abort());
  try {
    return await lines.question(question, { signal: gone.signal });
  } catch {
    return undefined;
  } finally {
    lines.close();
  }
}
