// What a step changes on its run's row. The row is locked and at hand, so it is changed in memory, and appendEvents writes
// it together with the head of the chain: one version of the row per transaction.
import type { Waiting } from '../contracts/agentRun.js';
import type { Usage } from '../contracts/conversation.js';
import type { RunRow } from './runs.js';

const COLUMNS = {
  status: 'status',
  waiting: 'waiting',
  startedAt: 'started_at',
  steps: 'steps',
  modelCalls: 'model_calls',
  toolCalls: 'tool_calls',
  inputTokens: 'input_tokens',
  outputTokens: 'output_tokens',
  cacheReadTokens: 'cache_read_tokens',
  cacheWriteTokens: 'cache_write_tokens',
  costNanoUsd: 'cost_nano_usd',
} as const satisfies Partial<Record<keyof RunRow, string>>;

/** For UPDATE … SET, its parameters numbered from `first`. */
export const progressSet = (first: number): string =>
  Object.values(COLUMNS)
    .map((column, i) => `${column} = $${first + i}`)
    .join(', ');

export const progressValues = (run: RunRow): unknown[] =>
  Object.keys(COLUMNS).map((key) => {
    const value = run[key as keyof typeof COLUMNS];
    return key === 'waiting' && value !== null ? JSON.stringify(value) : value;
  });

export function noteRunning(run: RunRow): void {
  run.status = 'running';
  run.waiting = null;
  run.startedAt ??= new Date();
}

export function noteWaiting(run: RunRow, waiting: Waiting): void {
  run.status = 'waiting';
  run.waiting = waiting;
}

/** What an attempt cost. `counted`: it is among the model calls already. */
export function noteBill(
  run: RunRow,
  { usage, costNanoUsd, counted }: { usage: Usage; costNanoUsd: number; counted: boolean },
): void {
  if (!counted) run.modelCalls += 1;
  run.inputTokens += usage.inputTokens;
  run.outputTokens += usage.outputTokens;
  run.cacheReadTokens += usage.cacheReadTokens;
  run.cacheWriteTokens += usage.cacheWriteTokens;
  run.costNanoUsd += costNanoUsd;
}
