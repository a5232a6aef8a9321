// What a process and all its descendants use, read from /proc.
import { readFileSync, readdirSync } from 'node:fs';

export interface TreeUsage {
  processes: number;
  /** Anonymous and shared memory. What processes share is counted for each of them. */
  memoryBytes: number;
  /** Of the living, and of the dead whom they have waited for. */
  cpuSeconds: number;
}

/** sysconf(_SC_CLK_TCK), the unit of times in /proc: 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Processes that end meanwhile count as far as they were seen. */
export function treeUsage(root: number): TreeUsage {
  const usage: TreeUsage = { processes: 0, memoryBytes: 0, cpuSeconds: 0 };
  const line = [root];
  for (let pid = line.pop(); pid !== undefined; pid = line.pop()) {
    usage.processes += 1;
    usage.memoryBytes += memoryOf(pid);
    usage.cpuSeconds += cpuOf(pid);
    line.push(...childrenOf(pid));
  }
  return usage;
}

function memoryOf(pid: number): number {
  const status = read(`/proc/${pid}/status`);
  const kib = [...status.matchAll(/^Rss(?:Anon|Shmem):\s+(\d+) kB$/gm)];
  return kib.reduce((sum, [, n]) => sum + Number(n) * 1024, 0);
}

function cpuOf(pid: number): number {
  const stat = read(`/proc/${pid}/stat`);
  // The program's name, in parentheses, may hold anything. Behind it, utime to cstime are fields 12 to 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, n) => sum + Number(n), 0) / TICKS_PER_SECOND;
}

/** Of every thread: each has children of its own. */
function childrenOf(pid: number): number[] {
  let threads: string[];
  try {
    threads = readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
  return threads.flatMap((tid) => read(`/proc/${pid}/task/${tid}/children`).split(' ').filter(Boolean).map(Number));
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
