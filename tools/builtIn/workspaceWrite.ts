// workspace_write: a whole text file in the run's own folder.
import { z } from 'zod';
import { defineTool } from '../defineTool.js';
import { ToolError } from '../execution.js';
import { namesOn } from './paths.js';
import { filePath, oneAtATime, writeText } from './workspaceFiles.js';

export const workspaceWrite = defineTool({
  name: 'workspace_write',
  description: 'Write a text file in the workspace, replacing what was there.',
  input: z.strictObject({ path: filePath, content: z.string() }),
  effect: 'idempotent',
  labels: ['trusted'],
  controls: ['path'],
  timeout: '30s',
  async execute(args, ctx) {
    const wanted = { names: namesOn(args.path), shown: args.path };
    if (args.path.endsWith('/') || wanted.names.length === 0) {
      throw new ToolError(`${args.path} is a folder. Give the path of a file.`);
    }
    await oneAtATime(ctx.workspaceDir, wanted, async () => {
      ctx.signal.throwIfAborted();
      await writeText(ctx.workspaceDir, wanted, args.content);
    });
    return `Wrote ${args.path} (${Buffer.byteLength(args.content)} bytes).`;
  },
});
