// What a sandboxed command may use where an agent does not say. All of it is enforced from outside of its reach.
import type { JavascriptLimits, ShellLimits } from '../contracts/sandboxLimits.js';

const KIB = 1024;
const MIB = 1024 * KIB;

export const defaultShellLimits: ShellLimits = {
  timeoutMs: 60_000,
  memoryBytes: 512 * MIB,
  cpuSeconds: 120,
  processes: 64,
  fileBytes: 256 * MIB,
  workspaceBytes: 1024 * MIB,
  outputBytes: 32 * KIB,
};

export const defaultJavascriptLimits: JavascriptLimits = {
  timeoutMs: 5000,
  memoryBytes: 64 * MIB,
  outputChars: 64 * KIB,
};

/** Output beyond this ends a command: it is written for nobody. In bytes. */
export const FLOOD_BYTES = 64 * MIB;
