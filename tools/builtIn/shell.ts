// shell: one command in a sandbox, with the run's own folder as the only place it can write.
import { availableParallelism } from 'node:os';
import { z } from 'zod';
import type { ShellLimits } from '../../contracts/sandboxLimits.js';
import type { ToolDefinition } from '../../contracts/tools.js';
import { TURN_MS } from '../../harness/agents/sandboxTool.js';
import { FLOOD_BYTES, defaultShellLimits } from '../../sandbox/limits.js';
import type { Sandboxes } from '../../sandbox/sandboxes.js';
import { SandboxFailed, type ShellResult, runShell } from '../../sandbox/shell.js';
import { Slots } from '../../sandbox/slots.js';
import { type ToolContext, ToolError, type ToolExecutor } from '../execution.js';
import { jsonSchemaOf } from '../inputSchema.js';
import type { ToolResult } from '../result.js';
import { SHELL_RECORDS, ShellRecord } from './shellRecords.js';
import { EDITS } from './workspaceEdit.js';
import { adopt, makeFolder } from './workspaceFolder.js';

const MAX_COMMAND = 32_768;

const input = z.strictObject({
  command: z.string().min(1).max(MAX_COMMAND).describe('A command or a script for bash; it starts in the workspace'),
});

export const shellDefinition: ToolDefinition = {
  name: 'shell',
  description:
    'Run a bash command in a sandbox, in the workspace of this run. There is no network, nothing but the workspace ' +
    'and /tmp can be written, /tmp is empty each time, and no process outlives the command.',
  input: jsonSchemaOf(input),
  // Only the workspace can change. A command that its worker died in is never run again: what it did is not known.
  effect: 'reconcilable',
  labels: ['untrusted'],
  controls: [],
  external: false,
  timeoutMs: defaultShellLimits.timeoutMs + TURN_MS,
  maxAttempts: 4,
  source: 'builtIn',
  shell: defaultShellLimits,
};

/** Commands at one time on one worker; others wait for their turn. */
const slots = new Slots(Math.max(2, availableParallelism()));

export function shellTool(definition: ToolDefinition, sandboxes: Sandboxes): ToolExecutor {
  return {
    definition,
    execute: (args, ctx) =>
      slots.with(
        () => execute((args as z.infer<typeof input>).command, definition.shell ?? defaultShellLimits, ctx, sandboxes),
        ctx.signal,
      ),
    reconcile: (_key, ctx) => new ShellRecord(ctx).whatBecameOfIt(),
  };
}

async function execute(
  command: string,
  limits: ShellLimits,
  ctx: ToolContext,
  sandboxes: Sandboxes,
): Promise<ToolResult> {
  const sandbox = await sandboxes.shell();
  if (!sandbox.holds) {
    throw new ToolError(`There is no shell on this worker: ${sandbox.reason}. Nothing was executed.`);
  }
  if (command.includes('\0')) throw new ToolError('The command has a NUL character in it. Nothing was executed.');
  const workspace = ctx.workspaceDir;
  const covered = [EDITS, SHELL_RECORDS];
  for (const name of covered) await makeFolder(workspace, name);
  await adopt(workspace);
  const record = new ShellRecord(ctx);
  await record.begin();
  try {
    const { signal } = ctx;
    const result = shown(await runShell(sandbox.host, { command, workspace, covered, limits, signal }), limits);
    await record.end(result);
    return result;
  } catch (err) {
    if (!(err instanceof SandboxFailed)) throw err;
    await record.forget();
    throw new ToolError(`The sandbox could not be set up, so nothing was executed: ${err.message}`);
  }
}

function shown({ ended, exitCode, stdout, stderr }: ShellResult, limits: ShellLimits): ToolResult {
  const end =
    ended === 'exited'
      ? exitCode === 0
        ? ''
        : `[exit code ${exitCode}${signalOf(exitCode)}]`
      : `[${why(ended, limits)}]`;
  const content = [stdout.trimEnd(), stderr.trim() === '' ? '' : `[stderr]\n${stderr.trimEnd()}`, end]
    .filter((part) => part !== '')
    .join('\n');
  return { content, isError: end !== '' };
}

const signalOf = (exitCode: number | null): string =>
  exitCode !== null && exitCode > 128 && exitCode <= 192 ? `: ended by signal ${exitCode - 128}` : '';

function why(ended: Exclude<ShellResult['ended'], 'exited'>, limits: ShellLimits): string {
  const mib = (bytes: number): string => `${Math.round(bytes / 1024 ** 2)} MiB`;
  switch (ended) {
    case 'timeout':
      return `The command was ended after ${limits.timeoutMs / 1000} s, its time limit. Do the work in smaller parts.`;
    case 'memory':
      return `The command was ended: its processes used more than ${mib(limits.memoryBytes)} of memory.`;
    case 'cpu':
      return `The command was ended: its processes used more than ${limits.cpuSeconds} s of processor time.`;
    case 'workspace':
      return `The command was ended: the workspace holds more than ${mib(limits.workspaceBytes)}, or too many files. Remove some.`;
    case 'output':
      return `The command was ended: it wrote more than ${mib(FLOOD_BYTES)} of output. Write to a file instead.`;
    case 'stopped':
      return 'The command was stopped.';
  }
}
