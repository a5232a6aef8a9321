// shell and javascript with the limits that an agent file sets.
import type { JavascriptTool, ShellTool } from '../../contracts/agent.js';
import { sizeInBytes } from '../../contracts/byteSize.js';
import { durationMs } from '../../contracts/duration.js';
import type { ToolDefinition } from '../../contracts/tools.js';

/** Beyond a call's own time: it may wait for its turn on the worker, and is to say by itself that its time is over. */
export const TURN_MS = 60_000;

const LONGEST_MS = { shell: 3_600_000, javascript: 60_000 } as const;

/** `entry` names one of the two. Reports a time that is too long. */
export function sandboxTool(
  base: ToolDefinition,
  entry: { name: string; timeout?: string | undefined },
  report: (field: string, message: string) => void,
): ToolDefinition {
  const timeoutMs = entry.timeout === undefined ? undefined : durationMs(entry.timeout);
  const longest = LONGEST_MS[base.shell ? 'shell' : 'javascript'];
  if (timeoutMs !== undefined && timeoutMs > longest) {
    report('timeout', `${base.name} takes at most ${longest / 60_000}m; give the same or less`);
  }
  return withJavascript(withShell(base, entry as ShellTool, timeoutMs), entry as JavascriptTool, timeoutMs);
}

function withShell(tool: ToolDefinition, entry: ShellTool, timeoutMs: number | undefined): ToolDefinition {
  if (!tool.shell) return tool;
  const shell = {
    ...tool.shell,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(entry.memory === undefined ? {} : { memoryBytes: sizeInBytes(entry.memory) }),
    ...(entry.cpu === undefined ? {} : { cpuSeconds: Math.ceil(durationMs(entry.cpu) / 1000) }),
    ...(entry.processes === undefined ? {} : { processes: entry.processes }),
    ...(entry.fileSize === undefined ? {} : { fileBytes: sizeInBytes(entry.fileSize) }),
    ...(entry.workspaceSize === undefined ? {} : { workspaceBytes: sizeInBytes(entry.workspaceSize) }),
    ...(entry.output === undefined ? {} : { outputBytes: sizeInBytes(entry.output) }),
  };
  return { ...tool, shell, timeoutMs: shell.timeoutMs + TURN_MS };
}

function withJavascript(tool: ToolDefinition, entry: JavascriptTool, timeoutMs: number | undefined): ToolDefinition {
  if (!tool.javascript) return tool;
  const javascript = {
    ...tool.javascript,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(entry.memory === undefined ? {} : { memoryBytes: sizeInBytes(entry.memory) }),
    ...(entry.output === undefined ? {} : { outputChars: sizeInBytes(entry.output) }),
  };
  return { ...tool, javascript, timeoutMs: javascript.timeoutMs + TURN_MS };
}
