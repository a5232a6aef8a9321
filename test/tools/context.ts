// What a worker gives to a tool, for tests that run tools without one.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ToolContext, ToolExecutor } from '../../tools/execution.js';
import { type Settled, runTool } from '../../tools/execution.js';

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** A call of its own: another key than every other. */
export function aCall(more: Partial<ToolContext> = {}): ToolContext {
  const toolCallId = `toolu_${randomUUID().slice(0, 8)}`;
  return {
    idempotencyKey: `run_0123456789:${toolCallId}`,
    runId: 'run_0123456789',
    step: 3,
    toolCallId,
    agent: 'clerk',
    signal: new AbortController().signal,
    heartbeat: () => undefined,
    secrets: (name) => {
      throw new Error(`the worker has no secret ${name}`);
    },
    log: quiet,
    workspaceDir: path.join(tmpdir(), 'longhaul-no-such-workspace'),
    ...more,
  };
}

const folders: string[] = [];

export function aFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'longhaul-tools-'));
  folders.push(folder);
  return folder;
}

export function removeFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

/** As the worker runs it. */
export const run = (
  executor: ToolExecutor,
  args: unknown,
  ctx: ToolContext = aCall(),
  timeoutMs = 10_000,
): Promise<Settled> => runTool(executor, args, ctx, { timeoutMs });

/** The text that the model sees, and whether as an error. */
export function shown(settled: Settled): { text: string; isError: boolean } {
  if (settled.kind !== 'result') throw new Error(`${settled.kind}: ${settled.text}`);
  return { text: settled.content.map((block) => String(block['text'])).join('\n'), isError: settled.isError };
}
