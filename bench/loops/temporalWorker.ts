// A worker process for one Temporal loop, on a queue of its own.
// `node temporalWorker.js <task queue> <Temporal address> <model url>`
import { NativeConnection, Runtime, Worker, makeTelemetryFilterString } from '@temporalio/worker';
import { createActivities } from './activities.js';

const [taskQueue, address, modelUrl] = process.argv.slice(2) as [string, string, string];

async function main(): Promise<void> {
  Runtime.install({
    logger: { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error: (...line) => console.error(...line) },
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR' }) } },
    shutdownSignals: [],
  });
  const connection = await NativeConnection.connect({ address });
  const worker = await Worker.create({
    connection,
    taskQueue,
    workflowsPath: require.resolve('./workflows.js'),
    activities: createActivities(modelUrl, (call) => process.send?.(call)),
    maxConcurrentActivityTaskExecutions: 200,
  });
  process.once('SIGTERM', () => worker.shutdown());
  process.on('disconnect', () => process.exit(0));
  const running = worker.run();
  process.send?.({ ready: true });
  await running;
  await connection.close();
  process.exit(0);
}

main().catch((err: unknown) => {
  console.error(err);
  process.exit(1);
});
