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
  /** What attempts have cost whose end is not recorded, by attempt. */
  openUsage: Record<string, Usage> | null;
  /** What is on the bill of attempts other than the one whose reply is stored, lost ones among them. */
  chargedUsage: Record<string, Usage> | null;
  replyAttempt: number | null;
  /** Since when attempts have failed, how many in a row, and how many of the last were no valid messages. */
  failingSince: Date | null;
  failures: number;
  brokenReplies: number;
  /** Who makes the latest attempt, and since when. null once its end is known. */
  askedBy: string | null;
  askedAt: Date | null;
  result: CallModelResult | null;
  requestedAt: Date;
  repliedAt: Date | null;
}

const COLUMNS = `step, model, attempts, failed_attempts "failedAttempts", request_hash "requestHash", prefix_hash "prefixHash", shown,
  reply_hash "replyHash", stop_reason "stopReason", provider_request_id "providerRequestId",
  input_tokens "inputTokens", output_tokens "outputTokens", cache_read_tokens "cacheReadTokens",
  cache_write_tokens "cacheWriteTokens", cost_nano_usd "costNanoUsd", open_usage "openUsage", charged_usage "chargedUsage",
  reply_attempt "replyAttempt", failing_since "failingSince", failures, broken_replies "brokenReplies", asked_by "askedBy", asked_at "askedAt", result, requested_at "requestedAt",
  replied_at "repliedAt"`;

export const usageOfCall = (call: ModelCallRow): Usage => ({
  inputTokens: call.inputTokens,
  outputTokens: call.outputTokens,
  cacheReadTokens: call.cacheReadTokens,
  cacheWriteTokens: call.cacheWriteTokens,
});

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
  call: { step: number; model: string; requestHash: string; prefixHash: string; shown: Shown; workerId: string },
): Promise<number> {
  const { rows } = await tx.query<{ attempts: number }>(
    `INSERT INTO model_calls (agent_run_id, step, model, attempts, request_hash, prefix_hash, shown, requested_at,
       asked_by, asked_at)
     VALUES ($1, $2, $3, 1, $4, $5, $6, now(), $7, now())
     ON CONFLICT (agent_run_id, step) DO UPDATE SET attempts = model_calls.attempts + 1,
       asked_by = EXCLUDED.asked_by, asked_at = EXCLUDED.asked_at
     RETURNING attempts`,
    [agentRunId, call.step, call.model, call.requestHash, call.prefixHash, JSON.stringify(call.shown), call.workerId],
  );
  return (rows[0] as { attempts: number }).attempts;
}

/** An attempt that we ended ourselves: it says nothing about the model. */
export async function countEndedModelAttempt(tx: PoolClient, agentRunId: string, step: number): Promise<void> {
  await tx.query(
    `UPDATE model_calls SET failed_attempts = least(attempts, failed_attempts + 1), asked_by = NULL
     WHERE agent_run_id = $1 AND step = $2`,
    [agentRunId, step],
  );
}

export async function countFailedModelAttempt(
  tx: PoolClient,
  agentRunId: string,
  step: number,
  { broken }: { broken: boolean },
): Promise<void> {
  await tx.query(
    `UPDATE model_calls SET failed_attempts = least(attempts, failed_attempts + 1), asked_by = NULL, failures = failures + 1,
       failing_since = coalesce(failing_since, now()), broken_replies = CASE WHEN $3 THEN broken_replies + 1 ELSE 0 END
     WHERE agent_run_id = $1 AND step = $2`,
    [agentRunId, step, broken],
  );
}

/**
 * A reply has begun: what it costs so far outlives the worker. Not waited for by the disk, since it only has to survive
 * a process of ours.
 */
export async function noteReplyBegun(
  db: Queryable,
  agentRunId: string,
  { step, attempt, usage }: { step: number; attempt: number; usage: Usage },
): Promise<void> {
  await db.query(
    `WITH quick AS (SELECT set_config('synchronous_commit', 'off', true))
     UPDATE model_calls SET open_usage = coalesce(open_usage, '{}') || jsonb_build_object($3::text, $4::jsonb)
     FROM quick WHERE agent_run_id = $1 AND step = $2`,
    [agentRunId, step, String(attempt), JSON.stringify(usage)],
  );
}

export async function recordModelReply(
  tx: PoolClient,
  agentRunId: string,
  step: number,
  reply: {
    attempt: number;
    replyHash: string;
    stopReason: string;
    providerRequestId: string | null;
    owed: { usage: Usage; costNanoUsd: number };
    result: CallModelResult;
  },
): Promise<void> {
  await tx.query(
    `UPDATE model_calls SET reply_hash = $3, stop_reason = $4, provider_request_id = $5, result = $6, replied_at = now(),
       reply_attempt = $7::int, open_usage = nullif(open_usage - $7::text, '{}'), ${chargeFrom(8)}
     WHERE agent_run_id = $1 AND step = $2`,
    [
      agentRunId,
      step,
      reply.replyHash,
      reply.stopReason,
      reply.providerRequestId,
      JSON.stringify(reply.result),
      reply.attempt,
      ...chargeValues(reply.owed.usage, reply.owed.costNanoUsd),
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

/** Adds what an attempt without a reply still owes; `usage` is all that it cost. */
export async function chargeAttempt(
  tx: PoolClient,
  agentRunId: string,
  step: number,
  attempt: number,
  { usage, owed }: { usage: Usage; owed: { usage: Usage; costNanoUsd: number } },
): Promise<void> {
  await tx.query(
    `UPDATE model_calls SET open_usage = nullif(open_usage - $3::text, '{}'),
       charged_usage = coalesce(charged_usage, '{}') || jsonb_build_object($3::text, $4::jsonb), ${chargeFrom(5)}
     WHERE agent_run_id = $1 AND step = $2`,
    [agentRunId, step, String(attempt), JSON.stringify(usage), ...chargeValues(owed.usage, owed.costNanoUsd)],
  );
}

/** Adds what the lost attempts had cost: all whose end is not recorded. */
export async function chargeLostAttempts(
  tx: PoolClient,
  agentRunId: string,
  step: number,
  owed: { usage: Usage; costNanoUsd: number },
): Promise<void> {
  await tx.query(
    `UPDATE model_calls SET charged_usage = coalesce(charged_usage, '{}') || open_usage, open_usage = NULL, ${chargeFrom(3)}
     WHERE agent_run_id = $1 AND step = $2`,
    [agentRunId, step, ...chargeValues(owed.usage, owed.costNanoUsd)],
  );
}
