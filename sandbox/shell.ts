// Runs one shell command in a sandbox: its own namespaces, no network, nothing of this machine to write but one folder.
import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { type SandboxHost, descriptors, sandboxedCommand } from './bubblewrap.js';
import type { ShellLimits } from '../contracts/sandboxLimits.js';
import { FLOOD_BYTES } from './limits.js';
import { BoundedOutput } from './output.js';
import { type Overrun, watchCommand } from './watch.js';

export interface ShellCommand {
  command: string;
  /** The only folder that can be written. It must exist, and belong to the user whom commands run as. */
  workspace: string;
  /** Folders in it that stay out of reach. They must exist. */
  covered?: readonly string[];
  limits: ShellLimits;
  signal?: AbortSignal;
}

export interface ShellResult {
  /** `exited` by itself; else what ended it. */
  ended: 'exited' | Overrun | 'output' | 'stopped';
  /** As a shell gives it: 128 + n after signal n. Of a command that was ended, null. */
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

/** The sandbox could not be set up, so the command did not run. */
export class SandboxFailed extends Error {
  override readonly name = 'SandboxFailed';
}

/** How long the output of a killed command may take to end, in milliseconds; the processes themselves are dead by then. */
const CLOSE_MS = 5000;

/** Ends the whole tree of processes, whatever it did, before it returns. */
export async function runShell(host: SandboxHost, given: ShellCommand): Promise<ShellResult> {
  const { limits, signal } = given;
  if (signal?.aborted) return { ended: 'stopped', exitCode: null, stdout: '', stderr: '' };
  const { file, args } = sandboxedCommand(host, given.workspace, given.covered ?? [], limits);
  const child = spawn(file, args, {
    cwd: '/',
    env: {},
    detached: true, // Ctrl-C in the worker's terminal is for the worker
    stdio: ['ignore', 'pipe', 'pipe', ...Object.keys(descriptors).map(() => 'pipe' as const)],
  });
  feed(child, host, given.command);
  const status = new BoundedOutput(4096);
  collect(streamAt(child, 'status'), (chunk) => status.add(chunk));

  let ended: ShellResult['ended'] = 'exited';
  const kill = (why: ShellResult['ended']): void => {
    if (ended === 'exited') ended = why;
    child.kill('SIGKILL');
  };
  const stdout = new BoundedOutput(limits.outputBytes);
  const stderr = new BoundedOutput(limits.outputBytes);
  for (const [stream, output] of [
    [child.stdout, stdout],
    [child.stderr, stderr],
  ] as const) {
    // prettier-ignore
    collect(stream, (chunk) => {
      output.add(chunk);
      if (stdout.bytes + stderr.bytes > FLOOD_BYTES) kill('output');
    });
  }
  const onAbort = (): void => kill('stopped');
  signal?.addEventListener('abort', onAbort, { once: true });
  const watch = child.pid === undefined ? undefined : watchCommand(child.pid, given.workspace, limits, kill);
  try {
    const code = await over(child);
    const ran = exitCodeIn(status.text());
    if (ended === 'exited' && ran === undefined) {
      throw new SandboxFailed(`bubblewrap ended with ${code}: ${stderr.text().trim().slice(0, 500)}`);
    }
    return {
      ended,
      exitCode: ended === 'exited' ? (ran ?? null) : null,
      stdout: stdout.text(),
      stderr: stderr.text(),
    };
  } finally {
    watch?.stop();
    signal?.removeEventListener('abort', onAbort);
  }
}

function feed(child: ChildProcess, host: SandboxHost, command: string): void {
  const files: Partial<Record<keyof typeof descriptors, string | Buffer>> = {
    seccomp: host.seccomp,
    command,
    passwd: 'agent:x:1000:1000::/workspace:/bin/bash\nnobody:x:65534:65534::/:/bin/false\n',
    group: 'agent:x:1000:\nnogroup:x:65534:\n',
  };
  for (const [name, bytes] of Object.entries(files)) {
    const pipe = streamAt(child, name as keyof typeof descriptors) as Writable | undefined;
    pipe?.on('error', () => undefined); // bwrap ended before it read that; its exit says why
    pipe?.end(bytes);
  }
}

const streamAt = (child: ChildProcess, name: keyof typeof descriptors): unknown =>
  (child.stdio as unknown[])[descriptors[name]];

function collect(stream: unknown, onData: (chunk: Buffer) => void): void {
  const readable = stream as Readable | null | undefined;
  readable?.on('data', onData);
  readable?.on('error', () => undefined);
}

/** Until the process has ended and its output with it. */
async function over(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('error', (err) => reject(new SandboxFailed(err.message)));
    child.once('exit', (code, signal) => {
      const how = code === null ? String(signal) : `exit code ${code}`;
      const late = setTimeout(() => {
        for (const stream of child.stdio) stream?.destroy();
        resolve(how);
      }, CLOSE_MS);
      child.once('close', () => {
        clearTimeout(late);
        resolve(how);
      });
    });
  });
}

/** bwrap tells the command's own exit code; without one it never ran it. */
function exitCodeIn(status: string): number | undefined {
  const found = /"exit-code":\s*(\d+)/.exec(status)?.[1];
  return found === undefined ? undefined : Number(found);
}
