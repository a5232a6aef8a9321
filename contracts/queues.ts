/**
 * Temporal's task queues. `runs`: workflow tasks, model calls and tool calls; on one queue Temporal hands the next call
 * to the worker in its answer to the workflow task, without a way through the queue. `rows`: what only writes down, so
 * that it never waits for a slot behind calls that take minutes. A tool may name a queue of its own.
 */
export const taskQueues = { runs: 'runs', rows: 'rows' } as const;
