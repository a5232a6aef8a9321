// How the workspace tools touch files: whole, bounded, never through a link.
import { isUtf8 } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { ToolError } from '../execution.js';
import { RESERVED, outside } from './paths.js';
import { type Place, type Wanted, own, unusable, within } from './workspaceFolder.js';

export const MAX_FILE_BYTES = 2 * 1024 * 1024;

export const filePath = z.string().min(1).describe('Path inside the workspace, such as notes/letter-1.md');

// A link is not followed, a pipe is not waited for.
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** The text of a file. */
export const readText = (root: string, wanted: Wanted): Promise<string> =>
  within(root, wanted, (place) => readAt(place, wanted.shown));

async function readAt({ full }: Place, shown: string): Promise<string> {
  const file = await open(full, READ).catch((err: NodeJS.ErrnoException) => {
    if (err.code === 'ENOTDIR') throw new ToolError(`There is no file ${shown}. workspace_list shows what is there.`);
    throw unusable(shown, err);
  });
  try {
    const info = await file.stat();
    if (info.isDirectory()) throw new ToolError(`${shown} is a folder. workspace_list shows what is in it.`);
    if (!info.isFile()) throw outside(shown);
    if (info.size > MAX_FILE_BYTES) {
      throw new ToolError(`${shown} has ${info.size} bytes; at most ${MAX_FILE_BYTES} are read.`);
    }
    const bytes = await file.readFile();
    if (bytes.includes(0) || !isUtf8(bytes)) throw new ToolError(`${shown} is not a text file in UTF-8.`);
    return bytes.toString('utf8');
  } finally {
    await file.close();
  }
}

/** All or nothing: a reader or a crash never sees half a file. `mayReplace` has the last word before that. */
export async function writeText(
  root: string,
  wanted: Wanted,
  content: string,
  mayReplace: () => Promise<boolean> = () => Promise.resolve(true),
): Promise<boolean> {
  if (Buffer.byteLength(content) > MAX_FILE_BYTES) {
    throw new ToolError(`The content has more than ${MAX_FILE_BYTES} bytes. Write several files.`);
  }
  return within(root, { ...wanted, make: true }, (place) => writeAt(place, wanted.shown, content, mayReplace));
}

async function writeAt(
  { folder, full }: Place,
  shown: string,
  content: string,
  mayReplace: () => Promise<boolean>,
): Promise<boolean> {
  const there = await lstat(full).catch(() => undefined);
  if (there && !there.isFile() && !there.isDirectory()) throw outside(shown);
  const temporary = `${folder}/${RESERVED}${randomBytes(6).toString('hex')}`;
  try {
    const file = await open(temporary, 'wx', 0o644);
    try {
      await own(file);
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    if (await mayReplace()) {
      await rename(temporary, full);
      return true;
    }
    await rm(temporary, { force: true });
    return false;
  } catch (err) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw unusable(shown, err as NodeJS.ErrnoException);
  }
}

const queues = new Map<string, Promise<unknown>>();

/** Work on one file, in the order in which it was asked for. Calls of one step run at the same time. */
export async function oneAtATime<T>(root: string, { names }: Wanted, work: () => Promise<T>): Promise<T> {
  const full = path.join(root, ...names);
  const mine = (queues.get(full) ?? Promise.resolve()).then(work);
  const over = mine.catch(() => undefined);
  queues.set(full, over);
  try {
    return await mine;
  } finally {
    if (queues.get(full) === over) queues.delete(full);
  }
}
