// Child processes that outlive their parent: found again by pid, waited for by condition, ended only when they are ours.
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';

/** Systems give ports above these to outgoing connections: one of theirs may be taken while its server is away. */
const SERVER_PORTS = { from: 20_000, to: 32_767 };
const PORT_TRIES = 50;

/** A TCP port on loopback that was free a moment ago, and that a server which is killed and started again finds free. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < PORT_TRIES; tries++) {
    const port = randomInt(SERVER_PORTS.from, SERVER_PORTS.to + 1);
    if (await isPortFree(port)) return port;
  }
  throw new Error(`no free port found on 127.0.0.1 between ${SERVER_PORTS.from} and ${SERVER_PORTS.to}`);
}

export async function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** A server that was killed may hold its port for a moment longer than it seems to live. In milliseconds. */
const PORT_MS = 5000;

/** The remembered port when it is free or becomes so soon, else another. */
export async function portOr(remembered: number | undefined): Promise<number> {
  if (remembered === undefined) return freePort();
  const free = waitFor(`port ${remembered}`, () => isPortFree(remembered), PORT_MS);
  return free.then(
    () => remembered,
    () => freePort(),
  );
}

/** Is nothing left of it? A zombie, which answers to signals until its parent reads it, still counts for PostgreSQL. */
export function isReaped(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !isProcess(pid, ['postgres']) && isAlive(pid); // the pid is somebody else's now
  } catch (err) {
    return (err as NodeJS.ErrnoException).code !== 'EPERM';
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (err) {
    return (err as NodeJS.ErrnoException).code === 'EPERM';
  }
  return !/^\d+ \(.*\) Z/.test(readOrEmpty(`/proc/${pid}/stat`));
}

/** Is this pid alive and was started with these words on its command line? A pid may have been given to another. */
export function isProcess(pid: number, words: readonly string[]): boolean {
  if (!isAlive(pid)) return false;
  if (!existsSync('/proc/self/cmdline')) return true; // this system does not tell
  const commandLine = commandLineOf(pid);
  return words.every((word) => commandLine.includes(word));
}

/** Empty of a kernel thread, which has none, and for an instant of a program that is just being started. */
function commandLineOf(pid: number): string {
  for (let tries = 0; ; tries++) {
    const commandLine = readOrEmpty(`/proc/${pid}/cmdline`).replaceAll('\0', ' ');
    if (commandLine !== '' || tries === 50) return commandLine;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1); // a millisecond
  }
}

const readOrEmpty = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
};

/** Polls until `condition` gives something. Throws, naming `what`, when it has not after `timeoutMs`. */
export async function waitFor<T>(
  what: string,
  condition: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 30_000,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > end) throw new Error(`waited ${timeoutMs / 1000} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Starts a process in a session of its own, its output in a file. It goes on when this one dies, however it dies. */
export function spawnDetached(command: string, args: readonly string[], logFile: string): number {
  mkdirSync(path.dirname(logFile), { recursive: true });
  const out = openSync(logFile, 'a', 0o600);
  const child = spawn(command, args, { detached: true, stdio: ['ignore', out, out] });
  child.on('error', () => undefined); // reported by whoever waits for it
  child.unref();
  closeSync(out);
  if (child.pid === undefined) throw new Error(`${command} cannot be started; is it executable?`);
  return child.pid;
}

/** SIGTERM, then SIGKILL after `graceMs`. */
export async function endProcess(pid: number, graceMs: number): Promise<void> {
  if (!isAlive(pid)) return;
  process.kill(pid, 'SIGTERM');
  const gone = () => !isAlive(pid);
  await waitFor(`process ${pid} to end`, gone, graceMs).catch(() => {
    if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  });
  await waitFor(`process ${pid} to end`, gone, 10_000);
}

/** The last lines of a log, for an error message. */
export const tailOf = (file: string, lines = 12): string =>
  readOrEmpty(file).trimEnd().split('\n').slice(-lines).join('\n');
