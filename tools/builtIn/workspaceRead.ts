// workspace_read: a text file of the run's own folder.
import { z } from 'zod';
import { defineTool } from '../defineTool.js';
import { namesOn } from './paths.js';
import { filePath, readText } from './workspaceFiles.js';

export const workspaceRead = defineTool({
  name: 'workspace_read',
  description: 'Read a text file of the workspace.',
  input: z.strictObject({ path: filePath }),
  effect: 'read',
  controls: ['path'],
  timeout: '30s',
  execute: (args, ctx) => readText(ctx.workspaceDir, { names: namesOn(args.path), shown: args.path }),
});
