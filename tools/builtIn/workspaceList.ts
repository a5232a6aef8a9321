// workspace_list: the files in the run's own folder.
import { constants } from 'node:fs';
import { lstat, open, readdir } from 'node:fs/promises';
import { z } from 'zod';
import { defineTool } from '../defineTool.js';
import { ToolError } from '../execution.js';
import { isReserved, namesOn, outside } from './paths.js';
import { type Place, folderOf, within } from './workspaceFolder.js';

const MAX_LISTED = 1000;
/** Where counting ends: a tool of the user's may have unpacked anything. */
const MAX_COUNTED = 20_000;

interface Found {
  /** From the workspace on: as every other tool takes it, also when a folder of it is listed. */
  name: string;
  size: string;
}

export const workspaceList = defineTool({
  name: 'workspace_list',
  description: 'List the files in the workspace of this run, with their sizes in bytes.',
  input: z.strictObject({ path: z.string().default('.').describe('Folder to list; the whole workspace by default') }),
  effect: 'read',
  timeout: '30s',
  async execute(args, ctx) {
    const names = namesOn(args.path);
    const found: Found[] = [];
    await within(ctx.workspaceDir, { names, shown: args.path }, (place) =>
      walk(place, names, args.path, found, ctx.signal),
    );
    if (found.length === 0) return names.length === 0 ? 'The workspace is empty.' : `${args.path} has no files in it.`;
    const lines = found.slice(0, MAX_LISTED).map(({ name, size }) => `${name.replaceAll(/\p{Cc}/gu, '�')} (${size})`);
    const rest = found.length - lines.length;
    if (rest === 0) return lines.join('\n');
    return `${lines.join('\n')}\n… and ${found.length >= MAX_COUNTED ? `more than ${rest}` : rest} more; list a folder of it`;
  },
});

/** Into each folder through the one that holds it, so that a link put in its place meanwhile is not followed. */
async function walk(place: Place, names: readonly string[], shown: string, found: Found[], signal: AbortSignal) {
  signal.throwIfAborted();
  const held = await open(place.full, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW).catch(
    async (err: NodeJS.ErrnoException) => {
      const info = await lstat(place.full).catch(() => undefined);
      if (info && !info.isFile() && !info.isDirectory()) throw outside(shown);
      if (info?.isFile()) throw new ToolError(`${shown} is a file. workspace_read shows what is in it.`);
      throw new ToolError(err.code === 'ENOENT' ? `There is no folder ${shown}.` : `Cannot list: ${err.code}.`);
    },
  );
  try {
    const folder = folderOf(held, place.full);
    const entries = await readdir(folder, { withFileTypes: true });
    for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      if (found.length >= MAX_COUNTED) return;
      if (isReserved(entry.name)) continue;
      const inner = [...names, entry.name];
      const full = `${folder}/${entry.name}`;
      if (entry.isDirectory()) await walk({ folder, name: entry.name, full }, inner, inner.join('/'), found, signal);
      else if (entry.isFile()) found.push({ name: inner.join('/'), size: await sizeOf(full, found.length) });
    }
  } finally {
    await held.close();
  }
}

const sizeOf = (full: string, position: number): Promise<string> =>
  position >= MAX_LISTED
    ? Promise.resolve('')
    : lstat(full).then(
        (info) => String(info.size),
        () => 'gone', // removed by a call that runs at the same time
      );
