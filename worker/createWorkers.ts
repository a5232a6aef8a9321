// The pollers of this process: one for each task queue that it is given.
import path from 'node:path';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import type { Deps } from '../activities/deps.js';
import { createActivities } from '../activities/index.js';
import type { Config } from '../config/env.js';
import { taskQueues } from '../contracts/queues.js';
import { redactActivities } from './redactActivities.js';

/** How long calls in flight may go on after SIGTERM before they are handed back, in milliseconds. */
const DRAIN_MS = 10_000;

/** Model and tool calls in flight in one worker. They wait for others most of the time: sockets, not cores. */
const MAX_CALLS = 400;

export async function connect(config: Config): Promise<NativeConnection> {
  const { connectionOptions } = loadClientConnectConfig();
  return NativeConnection.connect({ ...connectionOptions, address: config.temporalAddress ?? 'localhost:7233' });
}

export async function createWorkers(
  connection: NativeConnection,
  config: Config,
  deps: Deps,
  workerId: string,
): Promise<Worker[]> {
  const { callModel, executeTool, executeToolLocally, pinTools, compensateCall, ...rows } = createActivities(deps);
  const common: Omit<WorkerOptions, 'taskQueue'> = {
    connection,
    namespace: config.temporalNamespace,
    interceptors: { activity: [() => ({ inbound: redactActivities(deps.redactor) })] },
    identity: `${config.workerName}:${process.pid}:${workerId}`,
    shutdownGraceTime: DRAIN_MS,
    shutdownForceTime: DRAIN_MS * 2,
    // A cancellation arrives with a heartbeat's answer, so this is how long a stopped call goes on.
    maxHeartbeatThrottleInterval: '1 second',
    defaultHeartbeatThrottleInterval: '1 second',
    maxConcurrentActivityTaskExecutions: MAX_CALLS,
  };
  const runs = (): Promise<Worker>[] => [
    Worker.create({
      ...common,
      taskQueue: taskQueues.runs,
      workflowBundle: { codePath: path.join(__dirname, '..', 'workflow-bundle.js') },
      activities: { callModel, executeTool, executeToolLocally, pinTools, compensateCall },
      // After a dead worker, its sticky queue is waited for this long before another takes the run over.
      stickyQueueScheduleToStartTimeout: '2 seconds',
    }),
    Worker.create({ ...common, taskQueue: taskQueues.rows, activities: rows }),
  ];
  const tools = (taskQueue: string): Promise<Worker> =>
    Worker.create({ ...common, taskQueue, activities: { executeTool, compensateCall } });
  return Promise.all(config.queues.flatMap((queue) => (queue === taskQueues.runs ? runs() : [tools(queue)])));
}
