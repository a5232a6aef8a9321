// The sandboxes of this machine, each with the answer of its probe. Nothing is run in one that does not hold.
import { type SandboxHost, findSandboxHost } from './bubblewrap.js';
import { probeJavascript } from './javascriptProbe.js';
import type { Probe } from './probe.js';
import { probeShell } from './shellProbe.js';

export type ShellSandbox = { holds: true; host: SandboxHost } | Extract<Probe, { holds: false }>;

export interface Sandboxes {
  /** Probed when it is first asked for, and once; again when it could not be decided. */
  shell(): Promise<ShellSandbox>;
  javascript(): Promise<Probe>;
}

export function findSandboxes(): Sandboxes {
  return { shell: decidedOnce(findShell), javascript: decidedOnce(probeJavascript) };
}

/** Asked once, and again when the answer was that it could not be told. */
export function decidedOnce<P extends ShellSandbox | Probe>(probe: () => Promise<P>): () => Promise<P> {
  let answer: Promise<P> | undefined;
  return async () => {
    answer ??= probe();
    const found = await answer;
    if (!found.holds && found.undecided) answer = undefined;
    return found;
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
