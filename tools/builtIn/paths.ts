// Paths inside a run's own folder, and no way out of it.
import { lstat, mkdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { ToolError } from '../execution.js';

const MAX_PATH = 400;
/** Names that start so are Longhaul's own: not listed, not read, not written by tools. */
export const RESERVED = '.longhaul-';

/**
 * The absolute path of `relative` inside `root`, which is made when missing. Throws ToolError for a path that is
 * absolute, climbs out, goes through a link, or belongs to Longhaul.
 */
export async function inside(root: string, relative: string): Promise<string> {
  if (relative.length > MAX_PATH) throw new ToolError(`The path is longer than ${MAX_PATH} characters.`);
  // Control characters: a line break in a name would look like two files in a listing.
  if (/[\p{Cc}\p{Cs}\\]/u.test(relative) || path.isAbsolute(relative)) throw outside(relative);
  await mkdir(root, { recursive: true });
  const base = await realpath(root);
  const full = path.resolve(base, relative);
  if (full !== base && !full.startsWith(base + path.sep)) throw outside(relative);
  if (path.relative(base, full).split(path.sep).some(isReserved)) {
    throw new ToolError(`Names that start with ${RESERVED} are reserved. Choose another.`);
  }
  await refuseLinks(base, full, relative);
  return full;
}

export const isReserved = (name: string): boolean => name.startsWith(RESERVED);

// Tools never make links, but a user's own tool might: following one could lead anywhere.
async function refuseLinks(base: string, full: string, relative: string): Promise<void> {
  let current = base;
  for (const part of path.relative(base, full).split(path.sep).filter(Boolean)) {
    current = path.join(current, part);
    const stat = await lstat(current).catch((err: NodeJS.ErrnoException) => {
      if (err.code === 'ENOENT' || err.code === 'ENOTDIR') return undefined;
      throw new ToolError(`The path ${JSON.stringify(relative)} cannot be used: ${err.code}.`);
    });
    if (!stat) return;
    if (stat.isSymbolicLink() || (!stat.isFile() && !stat.isDirectory())) throw outside(relative);
  }
}

export const outside = (relative: string): ToolError =>
  new ToolError(
    `${JSON.stringify(relative)} is not a path inside the workspace. Use a relative path such as notes/letter-1.md.`,
  );
