// How much a folder holds, counted no further than is asked for.
import type { Dir } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import path from 'node:path';

/** Entries beyond which a folder counts as too large, whatever is in them. */
export const MAX_ENTRIES = 100_000;

/** True as soon as more than `limit` bytes (or too many entries) are found, or a folder that hides what it holds. */
export async function holdsMoreThan(folder: string, limit: number, signal: AbortSignal): Promise<boolean> {
  let bytes = 0;
  let entries = 0;
  const line = [folder];
  for (let dir = line.pop(); dir !== undefined; dir = line.pop()) {
    const opened = await open(dir);
    if (opened === 'closed') return true;
    if (!opened) continue;
    for await (const entry of opened) {
      if (signal.aborted) return false;
      const full = path.join(dir, entry.name);
      if (entry.isDirectory()) line.push(full);
      bytes += await sizeOf(full);
      entries += 1;
      if (bytes > limit || entries > MAX_ENTRIES) return true;
    }
  }
  return false;
}

async function open(dir: string): Promise<Dir | 'closed' | undefined> {
  try {
    return await opendir(dir);
  } catch (err) {
    return (err as NodeJS.ErrnoException).code === 'EACCES' ? 'closed' : undefined;
  }
}

/** On the disk: a sparse file takes less than it seems to, a small one more. */
const sizeOf = (file: string): Promise<number> =>
  lstat(file).then(
    (info) => info.blocks * 512,
    () => 0,
  );
