// The pollers of this process: one for each task queue that it is given.
import path from 'node:path';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import type { createActivities } from '../activities/index.js';
import type { Config } from '../config/env.js';
import { taskQueues } from '../contracts/queues.js';
import type { Redactor } from '../harness/redaction/redactor.js';
import { redactActivities } from './redactActivities.js';
import { WorkflowSlots } from './workflowSlots.js';

/** How long calls in flight may go on after SIGTERM before they are handed back, in milliseconds. */
const DRAIN_MS = 10_000;

/** Model and tool calls in flight in one worker. They wait for others most of the time: sockets, not cores. */
const MAX_CALLS = 400;
/** Short reads that run within workflow tasks: more than there are such tasks. */
const MAX_SHORT_READS = 100;

export async function connect(config: Config): Promise<NativeConnection> {
  const { connectionOptions } = loadClientConnectConfig();
  return NativeConnection.connect({ ...connectionOptions, address: config.temporalAddress ?? 'localhost:7233' });
}

type Activities = ReturnType<typeof createActivities>;

/** `call`: talks to a model or a tool. `row`: only writes down. */
const KINDS: Record<keyof Activities, 'call' | 'row'> = {
  callModel: 'call',
  executeTool: 'call',
  executeToolLocally: 'call',
  pinTools: 'call',
  compensateCall: 'call',
  finishUndo: 'row',
  requestApproval: 'row',
  checkEdit: 'row',
  recordVote: 'row',
  recordNotice: 'row',
  recordDecision: 'row',
  recordWait: 'row',
  recordPause: 'row',
  recordIgnoredSignal: 'row',
  recordSignals: 'row',
  queueMessage: 'row',
  closeRun: 'row',
};

export interface Workload {
  /** Asked when an activity runs, not before: they may still be loading while the workers are made. */
  activities: () => Activities;
  redactor: Redactor;
  workerId: string;
}

export async function createWorkers(
  connection: NativeConnection,
  config: Config,
  { activities, redactor, workerId }: Workload,
): Promise<Worker[]> {
  const of = (...names: (keyof Activities)[]) => lateBound(activities, names);
  const common: Omit<WorkerOptions, 'taskQueue'> = {
    connection,
    namespace: config.temporalNamespace,
    interceptors: { activity: [() => ({ inbound: redactActivities(redactor) })] },
    identity: `${config.workerName}:${process.pid}:${workerId}`,
    shutdownGraceTime: DRAIN_MS,
    shutdownForceTime: DRAIN_MS * 2,
    // A cancellation arrives with a heartbeat's answer, so this is how long a stopped call goes on.
    maxHeartbeatThrottleInterval: '1 second',
    defaultHeartbeatThrottleInterval: '1 second',
  };
  const calls = { maxConcurrentActivityTaskExecutions: MAX_CALLS };
  const runs = (): Promise<Worker>[] => [
    Worker.create({
      ...common,
      tuner: {
        workflowTaskSlotSupplier: new WorkflowSlots(),
        activityTaskSlotSupplier: { type: 'fixed-size', numSlots: MAX_CALLS },
        localActivityTaskSlotSupplier: { type: 'fixed-size', numSlots: MAX_SHORT_READS },
        nexusTaskSlotSupplier: { type: 'fixed-size', numSlots: 1 },
      },
      taskQueue: taskQueues.runs,
      workflowBundle: { codePath: path.join(__dirname, '..', 'workflow-bundle.js') },
      activities: of(...namesOf('call')),
      // After a dead worker, its sticky queue is waited for this long before another takes the run over.
      stickyQueueScheduleToStartTimeout: '2 seconds',
    }),
    Worker.create({ ...common, ...calls, taskQueue: taskQueues.rows, activities: of(...namesOf('row')) }),
  ];
  const tools = (taskQueue: string): Promise<Worker> =>
    Worker.create({ ...common, ...calls, taskQueue, activities: of('executeTool', 'compensateCall') });
  return Promise.all(config.queues.flatMap((queue) => (queue === taskQueues.runs ? runs() : [tools(queue)])));
}

const namesOf = (kind: 'call' | 'row'): (keyof Activities)[] =>
  (Object.keys(KINDS) as (keyof Activities)[]).filter((name) => KINDS[name] === kind);

type AnyActivity = (...args: readonly unknown[]) => Promise<unknown>;

const lateBound = (activities: () => Activities, names: readonly (keyof Activities)[]): Record<string, AnyActivity> =>
  Object.fromEntries(names.map((name) => [name, (...args) => (activities()[name] as AnyActivity)(...args)]));
