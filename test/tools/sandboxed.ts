// Commands in the real sandbox, for tests that try to get out of it.
import { chownSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import type { ShellLimits } from '../../contracts/sandboxLimits.js';
import { type SandboxHost, findSandboxHost } from '../../sandbox/bubblewrap.js';
import { defaultShellLimits } from '../../sandbox/limits.js';
import { type ShellResult, runShell } from '../../sandbox/shell.js';
import { aFolder } from './context.js';

const found = findSandboxHost();
const missing = found.ok ? cannotSandbox(found.host.bwrap) : found.reason;

/** Where no sandbox can be set up there is nothing to try: the tests are counted as skipped, and their titles say why. */
export const describeShell = (title: string, tests: () => void): void => {
  if (missing === undefined) describe(title, tests);
  else describe.skip(`${title} (not run on this machine: ${missing})`, tests);
};

/** Independent of Longhaul's own use of it. */
function cannotSandbox(bwrap: string): string | undefined {
  const args = ['--unshare-all', '--ro-bind', '/', '/', '--proc', '/proc', '/bin/true'];
  const { status, stderr } = spawnSync(bwrap, args, { encoding: 'utf8' });
  return status === 0 ? undefined : `bubblewrap cannot make a sandbox here: ${stderr.trim()}`;
}

export const theHost = (): SandboxHost => {
  if (!found.ok) throw new Error(found.reason);
  return found.host;
};

/** A workspace below a folder of its own, for what lies beside it. */
export function aWorkspace(): { base: string; workspace: string } {
  const base = aFolder();
  const workspace = path.join(base, 'run_1');
  mkdirSync(workspace);
  const { user } = theHost();
  if (user) chownSync(workspace, user.uid, user.gid);
  return { base, workspace };
}

export const inSandbox = (
  command: string,
  workspace: string,
  limits: Partial<ShellLimits> = {},
  more: { signal?: AbortSignal; covered?: string[]; host?: SandboxHost } = {},
): Promise<ShellResult> => {
  const { host = theHost(), ...rest } = more;
  return runShell(host, { command, workspace, limits: { ...defaultShellLimits, ...limits }, ...rest });
};

/** To be found among the arguments of processes; no other process has it. */
export const aToken = (): string => `token-${randomUUID()}`;

/** The processes of this machine that have the token in their command line, this one left out. */
export function processesWith(token: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => commandLine(pid).includes(token))
    .map(Number);
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}

/** Its children, theirs, and so on. */
export function descendantsOf(parent: number | undefined): number[] {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && statOf(Number(name))?.parent === parent)
    .map(Number);
  return [...children, ...children.flatMap(descendantsOf)];
}

/** A zombie is none: it waits for whoever takes its exit code. */
export const isRunning = (pid: number): boolean => (statOf(pid)?.state ?? 'Z') !== 'Z';

function statOf(pid: number): { state: string; parent: number } | undefined {
  try {
    const [state = 'Z', parent] = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    return { state, parent: Number(parent) };
  } catch {
    return undefined;
  }
}

/** Until `what` holds; the test's own time-out is the limit. */
export async function until(what: () => boolean): Promise<void> {
  while (!what()) await new Promise((resolve) => setTimeout(resolve, 20));
}
