// What it was measured on, in words. Figures of two machines, or of one machine on two days, do not compare.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import type { Client } from '@temporalio/client';
import { packageRoot } from '../../embedded/services.js';

export interface Machine {
  cpu: string;
  cores: number;
  memoryGiB: number;
  os: string;
  node: string;
  postgres: string;
  temporal: string;
  commit: string;
  /** Of one minute: what the machine was doing besides, before anything was started. */
  loadBefore: number;
}

export interface Servers {
  postgres: { version(): Promise<string> };
  temporal: Client;
}

export const loadBefore = loadavg()[0] ?? 0;

export async function describeMachine({ postgres, temporal }: Servers): Promise<Machine> {
  const { serverVersion } = await temporal.workflowService.getSystemInfo({});
  return { ...describeHost(), postgres: await postgres.version(), temporal: serverVersion ?? 'unknown' };
}

/** The machine alone, for what is not measured on servers. */
function describeHost(): Omit<Machine, 'postgres' | 'temporal'> {
  const list = cpus();
  return {
    cpu: list[0]?.model.trim() ?? 'unknown',
    cores: list.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    os: osName(),
    node: process.versions.node,
    commit: commitOf(),
    loadBefore,
  };
}

const hostText = (m: Omit<Machine, 'postgres' | 'temporal'>): string =>
  `${m.cores} cores (${m.cpu}), ${m.memoryGiB} GiB, ${m.os}, Node ${m.node}, Longhaul ${m.commit}; load before: ${m.loadBefore.toFixed(1)}`;

export const machineText = ({ postgres, temporal, ...host }: Machine): string =>
  `${hostText(host)}; PostgreSQL ${postgres} with fsync, Temporal ${temporal} (embedded server)`;

export const thisHostText = (): string => hostText(describeHost());

function osName(): string {
  const name =
    existsSync('/etc/os-release') && /^PRETTY_NAME="(.*)"/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  return name === false || name === undefined ? `${process.platform} ${release()}` : name;
}

function commitOf(): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync('git', args, { cwd: packageRoot(), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    return (
      git('rev-parse', '--short', 'HEAD') +
      (git('status', '--porcelain', '--untracked-files=no') ? ' with changes' : '')
    );
  } catch {
    return 'without git';
  }
}
