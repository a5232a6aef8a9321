// Looks at a running command from outside and says when it uses more than it may.
import { holdsMoreThan } from './folderSize.js';
import type { ShellLimits } from '../contracts/sandboxLimits.js';
import { treeUsage } from './processTree.js';

export type Overrun = 'timeout' | 'memory' | 'cpu' | 'workspace';

/** How often memory and processor time are looked at, in milliseconds. */
const LOOK_MS = 100;
/** Between two counts of the workspace, in milliseconds, and at least this many times as long as a count took. */
const COUNT_MS = 500;
const COUNT_REST = 5;

/** Calls `onOverrun` once. Stop it when the command has ended. */
export function watchCommand(
  pid: number,
  workspace: string,
  limits: ShellLimits,
  onOverrun: (why: Overrun) => void,
): { stop(): void } {
  const stopping = new AbortController();
  const report = (why: Overrun): void => {
    if (stopping.signal.aborted) return;
    stop();
    onOverrun(why);
  };
  const look = (): void => {
    const { memoryBytes, cpuSeconds } = treeUsage(pid);
    if (memoryBytes > limits.memoryBytes) report('memory');
    else if (cpuSeconds > limits.cpuSeconds) report('cpu');
  };
  let counting: NodeJS.Timeout | undefined;
  const count = async (): Promise<void> => {
    const began = Date.now();
    if (await holdsMoreThan(workspace, limits.workspaceBytes, stopping.signal)) report('workspace');
    if (stopping.signal.aborted) return;
    counting = setTimeout(again, Math.max(COUNT_MS, (Date.now() - began) * COUNT_REST));
  };
  const again = (): void => void count();
  const looking = setInterval(look, LOOK_MS);
  const ending = setTimeout(() => report('timeout'), limits.timeoutMs);
  counting = setTimeout(again, COUNT_MS);
  function stop(): void {
    stopping.abort();
    clearInterval(looking);
    clearTimeout(ending);
    clearTimeout(counting);
  }
  return { stop };
}
