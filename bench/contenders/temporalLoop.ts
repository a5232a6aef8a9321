// Loops on Temporal without Longhaul: empty activities, or the conversation as the input of each.
import type { Client } from '@temporalio/client';
import { type BenchRun } from '../benchRun.js';
import type { CallLog } from '../callLog.js';
import { startChild } from '../childProcess.js';
import { opening } from '../loops/step.js';
import type { Contender, ContenderName } from './contender.js';

const loops = {
  bare: { title: 'bare Temporal loop, two empty activities', workflow: 'twoActivities', isEmpty: true },
  'bare-local': { title: 'the same, the tool call local', workflow: 'oneLocalActivity', isEmpty: true },
  transcript: { title: 'Temporal loop, transcript as input', workflow: 'transcript', isEmpty: false },
} as const satisfies Partial<Record<ContenderName, object>>;

export interface TemporalLoopOptions {
  name: keyof typeof loops;
  temporal: Client;
  temporalPid: number;
  address: string;
  modelUrl: string;
  calls: CallLog;
}

export async function startTemporalLoop(options: TemporalLoopOptions): Promise<Contender> {
  const { name, temporal, temporalPid, address, modelUrl, calls } = options;
  const { title, workflow, isEmpty } = loops[name];
  const taskQueue = `bench-${name}`;
  const child = await startChild('loops/temporalWorker', {
    args: [taskQueue, address, modelUrl],
    onMessage: (call) => calls.add(call),
  });
  const workflowId = (run: BenchRun): string => `${taskQueue}-${run.key}`;
  return {
    name,
    title,
    isEmpty,
    workflowId,
    async start(run) {
      await temporal.workflow.start(workflow, {
        taskQueue,
        workflowId: workflowId(run),
        args: [isEmpty ? run : opening(run)],
      });
    },
    ended: (run) => temporal.workflow.getHandle(workflowId(run)).result(),
    roles: () => ({ worker: [child.pid], temporal: [temporalPid] }),
    stop: () => child.stop(),
  };
}
