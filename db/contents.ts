// Bytes by SHA-256, once per run. Rows and events name them; nothing else carries them.
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { sha256Hex } from '../harness/canonical.js';
import type { PoolClient, Queryable } from './pool.js';

/**
 * Text of models and tools shrinks to about half, and everything is written twice, to the log and to the table. Less is
 * not worth the work; more would hold up the process, and PostgreSQL compresses what is large by itself.
 */
const DEFLATE_FROM = 256;
const DEFLATE_TO = 256 * 1024;

interface StoredContent {
  bytes: Buffer;
  deflated: boolean;
}

function stored(bytes: Buffer): StoredContent {
  if (bytes.length < DEFLATE_FROM || bytes.length > DEFLATE_TO) return { bytes, deflated: false };
  const deflated = deflateRawSync(bytes, { level: 1 });
  return deflated.length < bytes.length * 0.9 ? { bytes: deflated, deflated: true } : { bytes, deflated: false };
}

const original = ({ bytes, deflated }: StoredContent): Buffer => (deflated ? inflateRawSync(bytes) : bytes);

/** Stores what is not there yet and returns the hashes, in the order given. */
export async function putContents(
  tx: PoolClient,
  agentRunId: string,
  items: readonly (string | Buffer)[],
): Promise<string[]> {
  if (items.length === 0) return [];
  const buffers = items.map((item) => (typeof item === 'string' ? Buffer.from(item, 'utf8') : item));
  const hashes = buffers.map((bytes) => sha256Hex(bytes));
  const rows = buffers.map(stored);
  await tx.query(
    `INSERT INTO contents (agent_run_id, hash, bytes, deflated)
     SELECT $1, hash, bytes, deflated FROM unnest($2::text[], $3::bytea[], $4::bool[]) AS c (hash, bytes, deflated)
     ON CONFLICT DO NOTHING`,
    [agentRunId, hashes, rows.map((row) => row.bytes), rows.map((row) => row.deflated)],
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
  const { rows } = await db.query<StoredContent & { hash: string }>(
    'SELECT hash, bytes, deflated FROM contents WHERE agent_run_id = $1 AND hash = ANY ($2)',
    [agentRunId, [...new Set(hashes)]],
  );
  return new Map(rows.map((row) => [row.hash, original(row)]));
}

/** What a step's reply and its tool calls' results consist of: what the next step's request adds. */
export async function getContentsOfStep(db: Queryable, agentRunId: string, step: number): Promise<Map<string, Buffer>> {
  const { rows } = await db.query<StoredContent & { hash: string }>(
    `SELECT hash, bytes, deflated FROM contents WHERE agent_run_id = $1 AND hash IN (
       SELECT reply_hash FROM model_calls WHERE agent_run_id = $1 AND step = $2
       UNION ALL SELECT result_hash FROM tool_calls WHERE agent_run_id = $1 AND step = $2)`,
    [agentRunId, step],
  );
  return new Map(rows.map((row) => [row.hash, original(row)]));
}

/** What a tool call is to be run with, or undefined when it was erased. */
export async function getArguments(db: Queryable, agentRunId: string, toolCallId: string): Promise<unknown> {
  const { rows } = await db.query<StoredContent>(
    `SELECT c.bytes, c.deflated FROM tool_calls t JOIN contents c ON c.agent_run_id = t.agent_run_id AND c.hash = t.arguments_hash
     WHERE t.agent_run_id = $1 AND t.id = $2`,
    [agentRunId, toolCallId],
  );
  return rows[0] && JSON.parse(original(rows[0]).toString('utf8'));
}

/** The parsed JSON of one content, or undefined when it was erased. */
export async function getJsonContent(db: Queryable, agentRunId: string, hash: string): Promise<unknown> {
  const bytes = (await getContents(db, agentRunId, [hash])).get(hash);
  return bytes === undefined ? undefined : JSON.parse(bytes.toString('utf8'));
}

/** Bytes that must not be there; whatever names them finds nothing. */
export async function forgetContents(tx: PoolClient, agentRunId: string, hashes: readonly string[]): Promise<void> {
  await tx.query('DELETE FROM contents WHERE agent_run_id = $1 AND hash = ANY ($2)', [agentRunId, hashes]);
}

export async function eraseContents(tx: PoolClient, agentRunId: string): Promise<number> {
  const { rowCount } = await tx.query('DELETE FROM contents WHERE agent_run_id = $1', [agentRunId]);
  // Names of fields may be content as well, where a tool answers with names.
  await tx.query('UPDATE tool_calls SET decision = NULL WHERE agent_run_id = $1', [agentRunId]);
  await tx.query('UPDATE approvals SET provenance = NULL WHERE agent_run_id = $1', [agentRunId]);
  await tx.query('UPDATE agent_runs SET erased_at = coalesce(erased_at, now()) WHERE id = $1', [agentRunId]);
  return rowCount ?? 0;
}
