// Rows that other rows need, without anything behind them.
import type { Pool } from 'pg';
import { agentDefinition } from '../../contracts/agent.js';
import { GENESIS_HASH } from '../../contracts/events.js';
import { putAgentVersion } from '../../db/agents.js';
import { withTransaction } from '../../db/pool.js';
import { insertRun } from '../../db/runs.js';
import { newRunId } from '../../harness/ids.js';

/** A run of no agent in particular, that nobody takes. */
export async function aRunRow(pool: Pool): Promise<string> {
  const id = newRunId();
  const definition = agentDefinition.parse({ name: 'rows', model: 'm', instructions: 'i' });
  await withTransaction(pool, async (tx) => {
    await putAgentVersion(tx, { tenantId: 'default', name: 'rows', version: 'v', definition, source: '' });
    await insertRun(tx, {
      id,
      tenantId: 'default',
      agentName: 'rows',
      agentVersion: 'v',
      tools: [],
      metadata: {},
      parentRunId: null,
      createdBy: { kind: 'key', id: 'k' },
      idempotencyKey: null,
      requestHash: 'r',
      maxSteps: 1,
      maxTokens: 1,
      maxCostNanoUsd: 1,
      maxToolCalls: 1,
      deadline: new Date(),
      startAt: null,
      lastHash: GENESIS_HASH,
    });
  });
  return id;
}
