// The sandboxes of this machine, each with the answer of its probe. Nothing is run in one that does not hold.
import { type SandboxHost, findSandboxHost } from './bubblewrap.js';
import { probeJavascript } from './javascriptProbe.js';
import type { Probe } from './probe.js';
import { probeShell } from './shellProbe.js';

export type ShellSandbox = { holds: true; host: SandboxHost } | { holds: false; reason: string };

export interface Sandboxes {
  /** Probed when it is first asked for, and once. */
  shell(): Promise<ShellSandbox>;
  javascript(): Promise<Probe>;
}

export function findSandboxes(): Sandboxes {
  let shell: Promise<ShellSandbox> | undefined;
  let javascript: Promise<Probe> | undefined;
  return {
    shell: () => (shell ??= findShell()),
    javascript: () => (javascript ??= probeJavascript()),
  };
}

async function findShell(): Promise<ShellSandbox> {
  const found = findSandboxHost();
  if (!found.ok) return { holds: false, reason: found.reason };
  const probe = await probeShell(found.host);
  return probe.holds ? { holds: true, host: found.host } : probe;
}

export const noSandboxes = (reason: string): Sandboxes => ({
  shell: () => Promise.resolve({ holds: false, reason }),
  javascript: () => Promise.resolve({ holds: false, reason }),
});
