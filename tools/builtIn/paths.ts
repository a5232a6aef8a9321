// Paths inside a run's own folder, as a tool is given them. What is really there is looked at in workspaceFolder.ts.
import path from 'node:path';
import { ToolError } from '../execution.js';

const MAX_PATH = 400;
/** Names that start so are Longhaul's own: not listed, not read, not written by tools. */
export const RESERVED = '.longhaul-';

export const isReserved = (name: string): boolean => name.startsWith(RESERVED);

/** The names on the way to `relative`; none for the workspace itself. Throws ToolError for a path that is absolute, climbs out, or belongs to Longhaul. */
export function namesOn(relative: string): string[] {
  if (relative.length > MAX_PATH) throw new ToolError(`The path is longer than ${MAX_PATH} characters.`);
  // Control characters: a line break in a name would look like two files in a listing.
  if (/[\p{Cc}\p{Cs}\\]/u.test(relative) || path.isAbsolute(relative)) throw outside(relative);
  const names = path.posix
    .normalize(relative)
    .split('/')
    .filter((name) => name !== '' && name !== '.');
  if (names[0] === '..') throw outside(relative);
  if (names.some(isReserved)) {
    throw new ToolError(`Names that start with ${RESERVED} are reserved. Choose another.`);
  }
  return names;
}

export const outside = (relative: string): ToolError =>
  new ToolError(
    `${JSON.stringify(relative)} is not a path inside the workspace. Use a relative path such as notes/letter-1.md.`,
  );
