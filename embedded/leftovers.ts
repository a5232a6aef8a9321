// Worker, API and model whose starter was killed: nobody would restart or stop them, and they hold the API's port.
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { endProcess, isAlive, isProcess } from './processes.js';
import { readState, writeState } from './state.js';

interface Started {
  pid: number;
  name: string;
  /** On its command line: a pid may have been given to another process since. */
  script: string;
  /** The pid of whoever looks after it. */
  starter: number;
}

/** A leftover drains like any other: it may be in the middle of a call. */
const DRAIN_MS = 25_000;

const folderOf = (dataDir: string): string => path.join(dataDir, 'processes');
const fileOf = (dataDir: string, pid: number): string => path.join(folderOf(dataDir), `${pid}.json`);

export const remember = (dataDir: string, { pid, name, script }: Omit<Started, 'starter'>): void =>
  writeState(fileOf(dataDir, pid), { pid, name, script, starter: process.pid } satisfies Started);

export const forget = (dataDir: string, pid: number): void => rmSync(fileOf(dataDir, pid), { force: true });

/** Ends those of this data folder that nobody looks after any more. Returns what they were. */
export async function endLeftovers(dataDir: string): Promise<string[]> {
  mkdirSync(folderOf(dataDir), { recursive: true });
  const found = readdirSync(folderOf(dataDir)).filter((name) => name.endsWith('.json'));
  const ended = await Promise.all(found.map((name) => endLeftover(dataDir, path.join(folderOf(dataDir), name))));
  return ended.filter((name) => name !== undefined);
}

async function endLeftover(dataDir: string, file: string): Promise<string | undefined> {
  const { pid, name, script, starter } = readState<Started>(file);
  if (pid === undefined || script === undefined || starter === undefined) return undefined;
  if (isAlive(starter)) return undefined; // looked after
  const isLeft = isProcess(pid, [script]);
  if (isLeft) await endProcess(pid, DRAIN_MS);
  forget(dataDir, pid);
  return isLeft ? name : undefined;
}
