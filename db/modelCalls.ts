// One row per step: what was asked, what it cost, and the reply that is never bought twice.
import type { CallModelResult } from '../contracts/agentRun.js';
import type { Usage } from '../contracts/conversation.js';
import type { PoolClient, Queryable } from './pool.js';

/** Bytes of the request by category. */
export type Shown = Record<string, number>;

export interface ModelCallRow {
  step: number;
  model: string;
  attempts: number;
  /** Attempts whose end was recorded, though they brought no reply. */
  failedAttempts: number;
  requestHash: string;
  prefixHash: string;
  shown: Shown;
  replyHash: string | null;
  stopReason: string | null;
  providerRequestId: string | null;
  inputTokens: number;
  outputTokens: number;
  cacheReadTokens: number;
  cacheWriteTokens: number;
  costNanoUsd: number;
  result: CallModelResult | null;
  requestedAt: Date;
  repliedAt: Date | null;
}

const COLUMNS = `step, model, attempts, failed_attempts "failedAttempts", request_hash "requestHash", prefix_hash "prefixHash", shown,
  reply_hash "replyHash", stop_reason "stopReason", provider_request_id "providerRequestId",
  input_tokens "inputTokens", output_tokens "outputTokens", cache_read_tokens "cacheReadTokens",
  cache_write_tokens "cacheWriteTokens", cost_nano_usd "costNanoUsd", result, requested_at "requestedAt",
  replied_at "repliedAt"`;

/** The rows of this step and the one before, if any. */
export async function findModelCalls(db: Queryable, agentRunId: string, step: number): Promise<ModelCallRow[]> {
  const { rows } = await db.query<ModelCallRow>(
    `SELECT ${COLUMNS} FROM model_calls WHERE agent_run_id = $1 AND step IN ($2, $2 - 1) ORDER BY step DESC`,
    [agentRunId, step],
  );
  return rows;
}

export async function listModelCalls(
  db: Queryable,
  agentRunId: string,
  afterStep: number,
  limit: number,
): Promise<ModelCallRow[]> {
  const { rows } = await db.query<ModelCallRow>(
    `SELECT ${COLUMNS} FROM model_calls WHERE agent_run_id = $1 AND step > $2 ORDER BY step LIMIT $3`,
    [agentRunId, afterStep, limit],
  );
  return rows;
}

/** Records one more attempt and returns its number. The request of a step is the same in every attempt. */
export async function recordModelRequest(
  tx: PoolClient,
  agentRunId: string,
  call: { step: number; model: string; requestHash: string; prefixHash: string; shown: Shown },
): Promise<number> {
  const { rows } = await tx.query<{ attempts: number }>(
    `INSERT INTO model_calls (agent_run_id, step, model, attempts, request_hash, prefix_hash, shown, requested_at)
     VALUES ($1, $2, $3, 1, $4, $5, $6, now())
     ON CONFLICT (agent_run_id, step) DO UPDATE SET attempts = model_calls.attempts + 1
     RETURNING attempts`,
    [agentRunId, call.step, call.model, call.requestHash, call.prefixHash, JSON.stringify(call.shown)],
  );
  return (rows[0] as { attempts: number }).attempts;
}

export async function countFailedModelAttempt(tx: PoolClient, agentRunId: string, step: number): Promise<void> {
  await tx.query(
    `UPDATE model_calls SET failed_attempts = least(attempts, failed_attempts + 1)
     WHERE agent_run_id = $1 AND step = $2`,
    [agentRunId, step],
  );
}

export async function recordModelReply(
  tx: PoolClient,
  agentRunId: string,
  step: number,
  reply: {
    replyHash: string;
    stopReason: string;
    providerRequestId: string | null;
    usage: Usage;
    costNanoUsd: number;
    result: CallModelResult;
  },
): Promise<void> {
  await tx.query(
    `UPDATE model_calls SET reply_hash = $3, stop_reason = $4, provider_request_id = $5, result = $6, replied_at = now(),
       ${chargeFrom(7)}
     WHERE agent_run_id = $1 AND step = $2`,
    [
      agentRunId,
      step,
      reply.replyHash,
      reply.stopReason,
      reply.providerRequestId,
      JSON.stringify(reply.result),
      ...chargeValues(reply.usage, reply.costNanoUsd),
    ],
  );
}

const chargeFrom = (first: number): string =>
  ['input_tokens', 'output_tokens', 'cache_read_tokens', 'cache_write_tokens', 'cost_nano_usd']
    .map((column, i) => `${column} = ${column} + $${first + i}`)
    .join(', ');

const chargeValues = (usage: Usage, costNanoUsd: number): number[] => [
  usage.inputTokens,
  usage.outputTokens,
  usage.cacheReadTokens,
  usage.cacheWriteTokens,
  costNanoUsd,
];

/** Adds what one attempt was billed, whether it brought a reply or died. */
export async function chargeAttempt(
  tx: PoolClient,
  agentRunId: string,
  step: number,
  usage: Usage,
  costNanoUsd: number,
): Promise<void> {
  await tx.query(`UPDATE model_calls SET ${chargeFrom(3)} WHERE agent_run_id = $1 AND step = $2`, [
    agentRunId,
    step,
    ...chargeValues(usage, costNanoUsd),
  ]);
}
