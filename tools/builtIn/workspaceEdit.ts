// workspace_edit: one exact replacement in a text file of the run's own folder, once per call however often it is tried.
import { z } from 'zod';
import { sha256Hex } from '../../harness/canonical.js';
import { defineTool } from '../defineTool.js';
import { ToolError } from '../execution.js';
import { RESERVED, namesOn } from './paths.js';
import { filePath, oneAtATime, readText, writeText } from './workspaceFiles.js';

const input = z.strictObject({ path: filePath, oldText: z.string().min(1), newText: z.string() });

type Arguments = z.infer<typeof input>;

/** Where it is written down what edits make of their files. */
export const EDITS = `${RESERVED}edits`;
/** How often an edit is made anew because another worker changed the file meanwhile. */
const MAX_TURNS = 5;

export const workspaceEdit = defineTool({
  name: 'workspace_edit',
  description:
    'Replace one exact piece of text in a file of the workspace. The old text must stand there exactly once.',
  input,
  effect: 'idempotent',
  labels: ['trusted'],
  controls: ['path'],
  timeout: '30s',
  async execute(args, ctx) {
    if (args.oldText === args.newText) throw new ToolError('The old and the new text are the same.');
    const root = ctx.workspaceDir;
    const wanted = { names: namesOn(args.path), shown: args.path };
    const record = { names: [EDITS, sha256Hex(ctx.idempotencyKey)], shown: args.path };
    return oneAtATime(root, wanted, async () => {
      const planned = await readText(root, record).catch(() => undefined);
      for (let turn = 0; turn < MAX_TURNS; turn++) {
        ctx.signal.throwIfAborted();
        const before = await readText(root, wanted);
        if (planned === sha256Hex(before)) return `Edited ${args.path}.`;
        const after = planned === undefined ? replaced(before, args) : replacedAgain(before, args, planned);
        await writeText(root, record, sha256Hex(after));
        const unchanged = async (): Promise<boolean> => (await readText(root, wanted)) === before;
        if (await writeText(root, wanted, after, unchanged)) return `Edited ${args.path}.`;
      }
      throw new ToolError(`${args.path} is being changed by others. Read it and try again.`);
    });
  },
});

function replaced(before: string, args: Arguments): string {
  const first = before.indexOf(args.oldText);
  if (first < 0) {
    throw new ToolError(`The old text does not stand in ${args.path}. Read the file and copy the text exactly.`);
  }
  if (before.lastIndexOf(args.oldText) !== first) {
    throw new ToolError(`The old text stands more than once in ${args.path}. Give more of its surroundings.`);
  }
  return replacedAt(before, first, args);
}

/**
 * What the file will be is written down (as a hash, by idempotency key) before it is so. A second attempt then knows
 * its own work, which the text would not tell: after a deletion, or a text put behind itself.
 */
function replacedAgain(before: string, args: Arguments, planned: string): string {
  const first = before.indexOf(args.oldText);
  const after = first < 0 ? before : replacedAt(before, first, args);
  if (sha256Hex(after) === planned) return after;
  throw new ToolError(`The edit of ${args.path} was begun, and the file has changed since. Read what stands there.`);
}

const replacedAt = (text: string, place: number, { oldText, newText }: Arguments): string =>
  text.slice(0, place) + newText + text.slice(place + oldText.length);
