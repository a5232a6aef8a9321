// One service for a data folder: whoever holds its pid file. The file is made whole or not at all, and belongs to nobody
// once its process is gone.
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { isProcess } from './processes.js';

const fileOf = (dataDir: string): string => path.join(dataDir, 'longhaul.pid');

/** The pid of another service that runs, or starts, on this data folder. */
export function serviceOn(dataDir: string): number | undefined {
  const pid = pidIn(fileOf(dataDir));
  return pid !== undefined && pid !== process.pid && isProcess(pid, ['start.js']) ? pid : undefined;
}

/** Takes the folder for this process until it is released. Throws, naming the other, when it is taken. */
export function holdDataFolder(dataDir: string): { release(): void } {
  mkdirSync(dataDir, { recursive: true });
  const file = fileOf(dataDir);
  const own = `${file}.${process.pid}`;
  writeFileSync(own, String(process.pid));
  try {
    for (;;) {
      const other = serviceOn(dataDir);
      if (other !== undefined) {
        throw new Error(`Longhaul runs on ${dataDir} already (process ${other}). \`npm run stop\` stops it.`);
      }
      if (takes(own, file)) break;
      removeStale(file);
    }
  } finally {
    rmSync(own, { force: true });
  }
  return {
    release() {
      if (pidIn(file) === process.pid) rmSync(file, { force: true });
    },
  };
}

/** For `npm run stop`, when nobody is left. */
export const forgetService = (dataDir: string): void => rmSync(fileOf(dataDir), { force: true });

function takes(own: string, file: string): boolean {
  try {
    linkSync(own, file);
    return true;
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw err;
  }
}

/** Moved aside first and looked at there: another start may have replaced it a moment ago. */
function removeStale(file: string): void {
  const aside = `${file}.${process.pid}.stale`;
  try {
    renameSync(file, aside);
  } catch {
    return; // another start was first
  }
  const pid = pidIn(aside);
  if (pid !== undefined && pid !== process.pid && isProcess(pid, ['start.js'])) takes(aside, file);
  rmSync(aside, { force: true });
}

function pidIn(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    return pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}
