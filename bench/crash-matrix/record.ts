// What a run left behind, wherever it did: its row, its log, its conversation, the sink's ledger, the model's bill.
import type { MessageRow } from '../../contracts/conversation.js';
import { workflowIdOf } from '../../contracts/ids.js';
import type { RunEvent } from '../../contracts/events.js';
import { readEvents } from '../../db/events.js';
import { readMessages } from '../../db/messages.js';
import type { Pool } from '../../db/pool.js';
import { type RunRow, findRun } from '../../db/runs.js';
import { waitFor } from '../../embedded/processes.js';
import type { Bill } from '../../embedded/scriptedModel/client.js';
import type { Commit } from './points.js';
import type { Entry } from './sink.js';
import type { World } from './world.js';

export interface RunRecord {
  agent: string;
  run: RunRow;
  /** Temporal's own idea of how it ended. */
  workflow: string;
  events: RunEvent[];
  messages: MessageRow[];
  effects: Entry[];
  bill: Bill;
}

export async function recordOf(world: World, agent: string, agentRunId: string): Promise<RunRecord> {
  const run = await findRun(world.pool, agentRunId);
  if (!run) throw new Error(`the run ${agentRunId} of ${agent} is lost`);
  return {
    agent,
    run,
    workflow: await workflowStatus(world, agentRunId),
    events: await readAllEvents(world.pool, agentRunId),
    messages: await readMessages(world.pool, agentRunId),
    effects: world.sink.ledger(agentRunId),
    bill: await world.model.bill(agent),
  };
}

/** The workflow ends right after the run's row; how long it is waited for, in milliseconds. */
const END_MS = 15_000;

async function workflowStatus({ temporal }: World, agentRunId: string): Promise<string> {
  const handle = temporal.workflow.getHandle(workflowIdOf(agentRunId));
  const ended = async (): Promise<string | undefined> => {
    const { status } = await handle.describe();
    return status.name === 'RUNNING' ? undefined : status.name;
  };
  return waitFor('the workflow to end', ended, END_MS).catch(() => 'RUNNING');
}

const PAGE = 1000;

async function readAllEvents(pool: Pool, agentRunId: string): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for (;;) {
    const page = await readEvents(pool, agentRunId, events.at(-1)?.seq ?? 0, PAGE);
    events.push(...page);
    if (page.length < PAGE) return events;
  }
}

/** The log, transaction by transaction. */
export async function commitsOf(pool: Pool, { run, events }: RunRecord): Promise<Commit[]> {
  const { rows } = await pool.query<{ seq: number }>(
    'SELECT max(seq) seq FROM events WHERE agent_run_id = $1 GROUP BY xmin::text ORDER BY 1',
    [run.id],
  );
  let from = 0;
  return rows.map(({ seq }) => {
    const commit = events.slice(from, seq);
    from = seq;
    return commit;
  });
}
