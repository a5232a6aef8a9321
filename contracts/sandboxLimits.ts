// What one call of shell or javascript may use: as a worker reads it, in bytes and milliseconds.
import { z } from 'zod';

const positive = z.number().int().positive();

export const shellLimits = z.object({
  /** Wall time of a command. */
  timeoutMs: positive,
  /** Of each process by the kernel, of all together by the worker's watch. Files in /tmp count beside it. */
  memoryBytes: positive,
  /** Processor time: of each process by the kernel, of all together by the watch. */
  cpuSeconds: positive,
  /** At one time. */
  processes: positive,
  /** Of one file. */
  fileBytes: positive,
  /** Of the whole workspace, looked at while a command runs. */
  workspaceBytes: positive,
  /** Kept of each of stdout and stderr: the beginning and the end. */
  outputBytes: positive,
});
export type ShellLimits = z.infer<typeof shellLimits>;

export const javascriptLimits = z.object({
  /** Wall time; nothing in the code can wait. */
  timeoutMs: positive,
  memoryBytes: positive,
  /** Of the result as JSON, and of all lines of the console, in characters each. */
  outputChars: positive,
});
export type JavascriptLimits = z.infer<typeof javascriptLimits>;
