// A Node process of the benchmark: started from dist/, told and heard over Node's channel, ended by its own handle.
import { type ChildProcess, fork } from 'node:child_process';
import path from 'node:path';

export interface ChildOptions {
  args?: readonly string[];
  /** Every message but the first one, which says `ready`. */
  onMessage: (message: never) => void;
}

export interface BenchChild {
  pid: number;
  /** What the process said when it was ready. */
  ready: Record<string, unknown>;
  send(message: object): void;
  stop(): Promise<void>;
}

/** `script` is relative to this folder, such as `stub/main`. */
export async function startChild(script: string, options: ChildOptions): Promise<BenchChild> {
  const child = fork(path.join(__dirname, `${script}.js`), [...(options.args ?? [])], {
    execArgv: ['--enable-source-maps'],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4000)));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const ready = await new Promise<Record<string, unknown>>((resolve, reject) => {
    child.once('message', (message) => resolve(message as Record<string, unknown>));
    void ended.then(() => reject(new Error(`${script} ${options.args?.join(' ') ?? ''} ended at once:\n${said}`)));
  });
  child.on('message', (message) => options.onMessage(message as never));
  return { pid: child.pid as number, ready, send: (message) => child.send(message), stop: () => stop(child, ended) };
}

async function stop(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await ended;
  clearTimeout(timer);
}
