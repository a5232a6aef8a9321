// A run's own folder, and no way out of it. Each folder on the way is opened and held, and the next name is looked up
// in the held one: a command that changes a folder into a link at that moment leads nobody anywhere.
import { constants } from 'node:fs';
import { type FileHandle, lchown, lstat, mkdir, open, readdir } from 'node:fs/promises';
import path from 'node:path';
import { workspaceOwner } from '../../sandbox/workspaceOwner.js';
import { ToolError } from '../execution.js';
import { outside } from './paths.js';

/** Reached while it is held: `folder` is a path that means the held folder, wherever that is by now. */
export interface Place {
  folder: string;
  name: string;
  full: string;
}

export interface Wanted {
  /** From the workspace on, as `namesOn` gives them. */
  names: readonly string[];
  /** As the model gave it, for errors. */
  shown: string;
  /** Make the folders on the way, and not the last name. */
  make?: boolean;
}

/**
 * Does `work` at a place of the workspace, whose folder is made when missing. Throws ToolError where a link or
 * something else that is no folder stands on the way. The last name is not looked at: `.` for the workspace itself.
 */
export async function within<T>(root: string, wanted: Wanted, work: (place: Place) => Promise<T>): Promise<T> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  let held = await open(root, constants.O_RDONLY | constants.O_DIRECTORY);
  let reached = root;
  try {
    await own(held);
    for (const name of wanted.names.slice(0, -1)) {
      const next = await enter(folderOf(held, reached), name, wanted);
      await held.close();
      held = next;
      reached = path.join(reached, name);
    }
    const folder = folderOf(held, reached);
    const name = wanted.names.at(-1) ?? '.';
    return await work({ folder, name, full: `${folder}/${name}` });
  } finally {
    await held.close();
  }
}

const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

async function enter(folder: string, name: string, { shown, make }: Wanted): Promise<FileHandle> {
  const full = `${folder}/${name}`;
  if (make) {
    await mkdir(full, { mode: 0o755 }).catch((err: NodeJS.ErrnoException) => {
      if (err.code !== 'EEXIST') throw unusable(shown, err);
    });
  }
  const entered = await open(full, FOLDER).catch(async (err: NodeJS.ErrnoException) => {
    throw (await isLink(full)) ? outside(shown) : unusable(shown, err);
  });
  if (make) await own(entered);
  return entered;
}

const isLink = (full: string): Promise<boolean> =>
  lstat(full).then(
    (info) => info.isSymbolicLink(),
    () => false,
  );

/** A path that means the held folder. Elsewhere than on Linux there is none, and no sandboxed shell either. */
export const folderOf = (held: FileHandle, reached: string): string =>
  process.platform === 'linux' ? `/proc/self/fd/${held.fd}` : reached;

/** Files of a workspace belong to whom commands of the shell run as. */
export async function own(file: FileHandle): Promise<void> {
  const owner = workspaceOwner();
  if (owner && (await file.stat()).uid !== owner.uid) await file.chown(owner.uid, owner.gid);
}

/** A folder of Longhaul's own in a workspace. */
export const makeFolder = (root: string, name: string): Promise<void> =>
  within(root, { names: [name, '.'], shown: name, make: true }, () => Promise.resolve());

/** What the user's own tools have made in a workspace becomes the shell's as well. */
export async function adopt(root: string): Promise<void> {
  const owner = workspaceOwner();
  if (!owner) return;
  await within(root, { names: [], shown: '.' }, async ({ folder }) => adoptIn(folder, owner));
}

async function adoptIn(folder: string, owner: { uid: number; gid: number }): Promise<void> {
  for (const name of await readdir(folder)) {
    const full = `${folder}/${name}`;
    const info = await lstat(full).catch(() => undefined); // removed meanwhile
    if (info && info.uid !== owner.uid) await lchown(full, owner.uid, owner.gid).catch(() => undefined);
    if (!info?.isDirectory()) continue;
    const held = await open(full, FOLDER).catch(() => undefined);
    if (!held) continue;
    try {
      await adoptIn(folderOf(held, full), owner);
    } finally {
      await held.close();
    }
  }
}

/** In words for the model, without the worker's own paths. */
export function unusable(shown: string, err: NodeJS.ErrnoException): Error {
  switch (err.code) {
    case undefined:
      return err;
    case 'ENOENT':
      return new ToolError(`There is no file ${shown}. workspace_list shows what is there.`);
    case 'ELOOP':
      return outside(shown);
    case 'EISDIR':
    case 'EEXIST':
    case 'ENOTDIR':
      return new ToolError(`${shown} cannot be used: a folder or file of that name is in the way.`);
    case 'ENAMETOOLONG':
      return new ToolError(`${shown} cannot be used: a name in it is too long (ENAMETOOLONG).`);
    default:
      return new ToolError(`${shown} cannot be used: ${err.code}.`);
  }
}
