// CPU time and memory of processes, from /proc. PostgreSQL has a process per connection: its children count with it,
// those that have ended as well.
import { readFileSync, readdirSync } from 'node:fs';

export type Role = 'worker' | 'api' | 'temporal' | 'postgres';
export type Roles = Partial<Record<Role, number[]>>;
export type PerRole = Partial<Record<Role, number>>;

/** Of Linux, on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Milliseconds of CPU since each role's processes began. */
export function cpuOf(roles: Roles): PerRole {
  return mapRoles(roles, (role, pids) => pids.reduce((sum, pid) => sum + cpuOfProcess(pid, role === 'postgres'), 0));
}

export const cpuSince = (before: PerRole, after: PerRole): PerRole =>
  Object.fromEntries(Object.entries(after).map(([role, ms]) => [role, ms - (before[role as Role] ?? 0)]));

/** Resident memory in MiB; of PostgreSQL, whose processes share most of theirs, the proportional share. */
export function memoryOf(roles: Roles): PerRole {
  return mapRoles(roles, (role, pids) => {
    const all = role === 'postgres' ? pids.flatMap((pid) => [pid, ...childrenOf(pid)]) : pids;
    return all.reduce((sum, pid) => sum + proportionalKiB(pid), 0) / 1024;
  });
}

function cpuOfProcess(pid: number, withChildren: boolean): number {
  const [user = 0, system = 0, childUser = 0, childSystem = 0] = statOf(pid).times;
  const own = ((user + system + (withChildren ? childUser + childSystem : 0)) * 1000) / TICKS_PER_SECOND;
  if (!withChildren) return own;
  return childrenOf(pid).reduce((sum, child) => sum + cpuOfProcess(child, true), own);
}

function statOf(pid: number): { parent: number; times: number[] } {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { parent: Number(fields[1]), times: fields.slice(11, 15).map(Number) };
  } catch {
    return { parent: 0, times: [] }; // it has ended
  }
}

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((child) => statOf(child).parent === pid);
}

function proportionalKiB(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

function mapRoles(roles: Roles, measure: (role: Role, pids: number[]) => number): PerRole {
  return Object.fromEntries(Object.entries(roles).map(([role, pids]) => [role, measure(role as Role, pids)]));
}
