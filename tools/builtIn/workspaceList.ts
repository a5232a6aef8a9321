// workspace_list: the files in the run's own folder.
import { lstat, readdir } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { defineTool } from '../defineTool.js';
import { ToolError } from '../execution.js';
import { inside, isReserved } from './paths.js';

const MAX_LISTED = 1000;
/** Where counting ends: a tool of the user's may have unpacked anything. */
const MAX_COUNTED = 20_000;

export const workspaceList = defineTool({
  name: 'workspace_list',
  description: 'List the files in the workspace of this run, with their sizes in bytes.',
  input: z.strictObject({ path: z.string().default('.').describe('Folder to list; the whole workspace by default') }),
  effect: 'read',
  timeout: '30s',
  async execute(args, ctx) {
    const root = await inside(ctx.workspaceDir, '.');
    const folder = await inside(ctx.workspaceDir, args.path);
    const files: string[] = [];
    await walk(folder, args.path, files, ctx.signal);
    if (files.length === 0) return folder === root ? 'The workspace is empty.' : `${args.path} has no files in it.`;
    // Paths as every other tool takes them: from the workspace on, also when a folder of it is listed.
    const shown = await Promise.all(files.slice(0, MAX_LISTED).map((file) => withSize(root, file)));
    const rest = files.length - shown.length;
    if (rest === 0) return shown.join('\n');
    return `${shown.join('\n')}\n… and ${files.length >= MAX_COUNTED ? `more than ${rest}` : rest} more; list a folder of it`;
  },
});

async function walk(folder: string, shown: string, files: string[], signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const entries = await readdir(folder, { withFileTypes: true }).catch((err: NodeJS.ErrnoException) => {
    if (err.code === 'ENOTDIR') throw new ToolError(`${shown} is a file. workspace_read shows what is in it.`);
    throw new ToolError(err.code === 'ENOENT' ? `There is no folder ${shown}.` : `Cannot list: ${err.code}.`);
  });
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (files.length >= MAX_COUNTED) return;
    const full = path.join(folder, entry.name);
    if (isReserved(entry.name)) continue;
    if (entry.isDirectory()) await walk(full, entry.name, files, signal);
    else if (entry.isFile()) files.push(full);
  }
}

async function withSize(root: string, file: string): Promise<string> {
  const size = await lstat(file).then(
    (info) => String(info.size),
    () => 'gone', // removed by a call that runs at the same time
  );
  return `${path.relative(root, file).replaceAll(/\p{Cc}/gu, '�')} (${size})`;
}
