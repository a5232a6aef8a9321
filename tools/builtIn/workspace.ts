// The run's own folder: list, read, write, edit. What lies in it may have been written by outsiders.
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { type DefinedTool, defineTool } from '../defineTool.js';
import { ToolError } from '../execution.js';
import { inside } from './paths.js';

const MAX_FILE_BYTES = 2 * 1024 * 1024;
const MAX_LISTED = 1000;
const filePath = z.string().min(1).describe('Path inside the workspace, such as notes/letter-1.md');

const workspaceList = defineTool({
  name: 'workspace_list',
  description: 'List the files in the workspace of this run, with their sizes in bytes.',
  input: z.strictObject({ path: z.string().default('.').describe('Folder to list; the whole workspace by default') }),
  effect: 'read',
  timeout: '30s',
  async execute(args, ctx) {
    const root = await inside(ctx.workspaceDir, args.path);
    const files: string[] = [];
    await walk(root, root, files);
    if (files.length === 0) return 'The workspace is empty.';
    const shown = files.toSorted().slice(0, MAX_LISTED);
    const rest = files.length - shown.length;
    return shown.join('\n') + (rest > 0 ? `\n… and ${rest} more; list a folder of it` : '');
  },
});

async function walk(root: string, folder: string, files: string[]): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((err: NodeJS.ErrnoException) => {
    throw new ToolError(err.code === 'ENOENT' ? 'There is no such folder.' : `Cannot list: ${err.code}.`);
  });
  for (const entry of entries) {
    const full = path.join(folder, entry.name);
    if (entry.isDirectory()) await walk(root, full, files);
    else if (entry.isFile() && !entry.name.startsWith(TEMPORARY)) {
      files.push(`${path.relative(root, full)} (${(await stat(full)).size})`);
    }
  }
}

const workspaceRead = defineTool({
  name: 'workspace_read',
  description: 'Read a text file of the workspace.',
  input: z.strictObject({ path: filePath }),
  effect: 'read',
  controls: ['path'],
  timeout: '30s',
  execute: async (args, ctx) => readText(await inside(ctx.workspaceDir, args.path), args.path),
});

async function readText(full: string, shown: string): Promise<string> {
  const info = await stat(full).catch(() => undefined);
  if (!info?.isFile()) throw new ToolError(`There is no file ${shown}. workspace_list shows what is there.`);
  if (info.size > MAX_FILE_BYTES)
    throw new ToolError(`${shown} has ${info.size} bytes; at most ${MAX_FILE_BYTES} are read.`);
  const bytes = await readFile(full);
  if (bytes.includes(0)) throw new ToolError(`${shown} is not a text file.`);
  return bytes.toString('utf8');
}

const workspaceWrite = defineTool({
  name: 'workspace_write',
  description: 'Write a text file in the workspace, replacing what was there.',
  input: z.strictObject({ path: filePath, content: z.string() }),
  effect: 'idempotent',
  labels: ['trusted'],
  controls: ['path'],
  timeout: '30s',
  async execute(args, ctx) {
    const full = await inside(ctx.workspaceDir, args.path);
    await writeWhole(full, args.path, args.content);
    return `Wrote ${args.path} (${Buffer.byteLength(args.content)} bytes).`;
  },
});

const workspaceEdit = defineTool({
  name: 'workspace_edit',
  description:
    'Replace one exact piece of text in a file of the workspace. The old text must stand there exactly once.',
  input: z.strictObject({ path: filePath, oldText: z.string().min(1), newText: z.string() }),
  effect: 'idempotent',
  labels: ['trusted'],
  controls: ['path'],
  timeout: '30s',
  async execute(args, ctx) {
    const full = await inside(ctx.workspaceDir, args.path);
    const before = await readText(full, args.path);
    const places = before.split(args.oldText).length - 1;
    // A second attempt of the same call finds its own work: the old text gone, the new one there.
    if (places === 0 && args.newText !== '' && before.includes(args.newText)) return `Edited ${args.path}.`;
    if (places !== 1) {
      throw new ToolError(
        places === 0
          ? `The old text does not stand in ${args.path}. Read the file and copy the text exactly.`
          : `The old text stands ${places} times in ${args.path}. Give more of its surroundings.`,
      );
    }
    await writeWhole(
      full,
      args.path,
      before.replace(args.oldText, () => args.newText),
    );
    return `Edited ${args.path}.`;
  },
});

const TEMPORARY = '.longhaul-';

/** All or nothing: a reader or a crash never sees half a file. */
async function writeWhole(full: string, shown: string, content: string): Promise<void> {
  if (Buffer.byteLength(content) > MAX_FILE_BYTES) {
    throw new ToolError(`The content has more than ${MAX_FILE_BYTES} bytes. Write several files.`);
  }
  const folder = path.dirname(full);
  const temporary = path.join(folder, `${TEMPORARY}${randomBytes(6).toString('hex')}`);
  try {
    await mkdir(folder, { recursive: true });
    const file = await open(temporary, 'wx', 0o644);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, full);
  } catch (err) {
    await rm(temporary, { force: true });
    const { code } = err as NodeJS.ErrnoException;
    if (code === 'EISDIR' || code === 'EEXIST' || code === 'ENOTDIR') {
      throw new ToolError(`${shown} cannot be written: a folder or file of that name is in the way.`);
    }
    throw err;
  }
}

export const workspaceTools: readonly DefinedTool[] = [workspaceList, workspaceRead, workspaceWrite, workspaceEdit];
