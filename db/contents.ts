// Bytes by SHA-256, once per run. Rows and events name them; nothing else carries them.
import { sha256Hex } from '../harness/canonical.js';
import type { PoolClient, Queryable } from './pool.js';

/** Stores what is not there yet and returns the hashes, in the order given. */
export async function putContents(
  tx: PoolClient,
  agentRunId: string,
  items: readonly (string | Buffer)[],
): Promise<string[]> {
  if (items.length === 0) return [];
  const buffers = items.map((item) => (typeof item === 'string' ? Buffer.from(item, 'utf8') : item));
  const hashes = buffers.map((bytes) => sha256Hex(bytes));
  await tx.query(
    `INSERT INTO contents (agent_run_id, hash, bytes)
     SELECT $1, hash, bytes FROM unnest($2::text[], $3::bytea[]) AS c (hash, bytes)
     ON CONFLICT DO NOTHING`,
    [agentRunId, hashes, buffers],
  );
  return hashes;
}

export async function putContent(tx: PoolClient, agentRunId: string, item: string | Buffer): Promise<string> {
  const [hash] = await putContents(tx, agentRunId, [item]);
  return hash as string;
}

/** The bytes of those hashes that are (still) there. */
export async function getContents(
  db: Queryable,
  agentRunId: string,
  hashes: readonly string[],
): Promise<Map<string, Buffer>> {
  if (hashes.length === 0) return new Map();
  const { rows } = await db.query<{ hash: string; bytes: Buffer }>(
    'SELECT hash, bytes FROM contents WHERE agent_run_id = $1 AND hash = ANY ($2)',
    [agentRunId, [...new Set(hashes)]],
  );
  return new Map(rows.map((row) => [row.hash, row.bytes]));
}

/** What a step's reply and its tool calls' results consist of: what the next step's request adds. */
export async function getContentsOfStep(db: Queryable, agentRunId: string, step: number): Promise<Map<string, Buffer>> {
  const { rows } = await db.query<{ hash: string; bytes: Buffer }>(
    `SELECT hash, bytes FROM contents WHERE agent_run_id = $1 AND hash IN (
       SELECT reply_hash FROM model_calls WHERE agent_run_id = $1 AND step = $2
       UNION ALL SELECT result_hash FROM tool_calls WHERE agent_run_id = $1 AND step = $2)`,
    [agentRunId, step],
  );
  return new Map(rows.map((row) => [row.hash, row.bytes]));
}

/** What a tool call is to be run with, or undefined when it was erased. */
export async function getArguments(db: Queryable, agentRunId: string, toolCallId: string): Promise<unknown> {
  const { rows } = await db.query<{ bytes: Buffer }>(
    `SELECT c.bytes FROM tool_calls t JOIN contents c ON c.agent_run_id = t.agent_run_id AND c.hash = t.arguments_hash
     WHERE t.agent_run_id = $1 AND t.id = $2`,
    [agentRunId, toolCallId],
  );
  return rows[0] && JSON.parse(rows[0].bytes.toString('utf8'));
}

/** The parsed JSON of one content, or undefined when it was erased. */
export async function getJsonContent(db: Queryable, agentRunId: string, hash: string): Promise<unknown> {
  const bytes = (await getContents(db, agentRunId, [hash])).get(hash);
  return bytes === undefined ? undefined : JSON.parse(bytes.toString('utf8'));
}

export async function eraseContents(tx: PoolClient, agentRunId: string): Promise<number> {
  const { rowCount } = await tx.query('DELETE FROM contents WHERE agent_run_id = $1', [agentRunId]);
  await tx.query('UPDATE agent_runs SET erased_at = coalesce(erased_at, now()) WHERE id = $1', [agentRunId]);
  return rowCount ?? 0;
}
