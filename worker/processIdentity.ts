// Whether a process of this machine still lives, told by pid and start time: a pid may have been given to another.
import { readFileSync, readlinkSync } from 'node:fs';

export interface ProcessIdentity {
  pid: number;
  /** Processes with the same value see each other's pids: one boot, one pid namespace. null: the system does not tell. */
  pidSpace: string | null;
  /** In the kernel's own unit. */
  pidStarted: string | null;
}

export function thisProcess(): ProcessIdentity {
  return { pid: process.pid, pidSpace: pidSpace(), pidStarted: startOf(process.pid) };
}

/** undefined: it cannot be told from here. */
export function isGone(process_: ProcessIdentity, here: ProcessIdentity): boolean | undefined {
  if (process_.pidSpace === null || process_.pidSpace !== here.pidSpace) return undefined;
  return startOf(process_.pid) !== process_.pidStarted;
}

function pidSpace(): string | null {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return null;
  }
}

/** null: there is no such process, or a zombie, which runs nothing any more. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The program's name, in parentheses, may hold anything. Behind it: state is the 1st field, start time the 20th.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}
