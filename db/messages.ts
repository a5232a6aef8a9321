// The conversation of a run, and the messages people sent that the model has not seen yet.
import type { MessagePart, MessageRow } from '../contracts/conversation.js';
import type { PoolClient, Queryable } from './pool.js';

export async function insertMessage(tx: PoolClient, agentRunId: string, message: MessageRow): Promise<void> {
  await tx.query('INSERT INTO messages (agent_run_id, seq, role, step, parts) VALUES ($1, $2, $3, $4, $5)', [
    agentRunId,
    message.seq,
    message.role,
    message.step,
    JSON.stringify(message.parts),
  ]);
}

/** Messages numbered above `afterSeq`, in order. */
export async function readMessages(db: Queryable, agentRunId: string, afterSeq = 0): Promise<MessageRow[]> {
  const { rows } = await db.query<MessageRow>(
    'SELECT seq, role, step, parts FROM messages WHERE agent_run_id = $1 AND seq > $2 ORDER BY seq',
    [agentRunId, afterSeq],
  );
  return rows;
}

export async function lastMessage(db: Queryable, agentRunId: string): Promise<MessageRow | undefined> {
  const { rows } = await db.query<MessageRow>(
    'SELECT seq, role, step, parts FROM messages WHERE agent_run_id = $1 ORDER BY seq DESC LIMIT 1',
    [agentRunId],
  );
  return rows[0];
}

/** False when a message of this id is queued already. */
export async function queueMessage(
  tx: PoolClient,
  message: {
    id: string;
    agentRunId: string;
    contentHash: string;
    /** It is the late result of this call. */
    result?: { toolCallId: string; isError: boolean };
  },
): Promise<boolean> {
  const { id, agentRunId, contentHash, result } = message;
  const { rowCount } = await tx.query(
    `INSERT INTO queued_messages (id, agent_run_id, content_hash, tool_call_id, is_error) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (id) DO NOTHING`,
    [id, agentRunId, contentHash, result?.toolCallId ?? null, result?.isError ?? null],
  );
  return rowCount === 1;
}

export async function findQueuedMessage(db: Queryable, id: string): Promise<{ contentHash: string } | undefined> {
  const { rows } = await db.query<{ contentHash: string }>(
    'SELECT content_hash "contentHash" FROM queued_messages WHERE id = $1',
    [id],
  );
  return rows[0];
}

/** Messages that no model has seen, oldest first, as parts of the next one. */
export async function unreadMessages(db: Queryable, agentRunId: string): Promise<MessagePart[]> {
  const { rows } = await db.query<{ hash: string; toolCallId: string | null; isError: boolean | null }>(
    `SELECT content_hash hash, tool_call_id "toolCallId", is_error "isError" FROM queued_messages
     WHERE agent_run_id = $1 AND message_seq IS NULL ORDER BY position`,
    [agentRunId],
  );
  return rows.map(({ hash, toolCallId, isError }) =>
    toolCallId === null
      ? { kind: 'blocks', hash }
      : { kind: 'late_result', toolCallId, hash, isError: isError === true },
  );
}

/** Senders hold the run's lock as well: those that were read under it are all. */
export async function markMessagesRead(tx: PoolClient, agentRunId: string, seq: number): Promise<void> {
  await tx.query('UPDATE queued_messages SET message_seq = $2 WHERE agent_run_id = $1 AND message_seq IS NULL', [
    agentRunId,
    seq,
  ]);
}

/** Has the model been shown the results of this step's calls, or is it being shown them? Call under the run's lock. */
export async function resultsWereShown(db: Queryable, agentRunId: string, step: number): Promise<boolean> {
  const { rows } = await db.query<{ shown: boolean }>(
    `SELECT EXISTS (SELECT 1 FROM messages WHERE agent_run_id = $1 AND step = $2 + 1 AND role = 'user') shown`,
    [agentRunId, step],
  );
  return rows[0]?.shown === true;
}

export async function hasQueuedMessages(db: Queryable, agentRunId: string): Promise<boolean> {
  const { rows } = await db.query<{ some: boolean }>(
    'SELECT EXISTS (SELECT 1 FROM queued_messages WHERE agent_run_id = $1 AND message_seq IS NULL) some',
    [agentRunId],
  );
  return rows[0]?.some === true;
}
