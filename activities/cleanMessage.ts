// What people said over an API that does not know this worker's secrets: cleaned before a model is shown it.
import type { MessagePart } from '../contracts/conversation.js';
import { forgetContents, getContents, putContents } from '../db/contents.js';
import { type PoolClient, atCommit } from '../db/pool.js';
import { sha256Hex } from '../harness/canonical.js';
import type { Redactor } from '../harness/redaction/redactor.js';

/**
 * Parts with a secret are stored anew without it, and their bytes are forgotten. `contents` gets what was read or stored.
 * `ownHashes` were cleaned by a worker when they came in.
 */
export async function cleanParts(
  redactor: Redactor,
  tx: PoolClient,
  agentRunId: string,
  given: { parts: readonly MessagePart[]; contents: Map<string, Buffer>; ownHashes: ReadonlySet<string> },
): Promise<{ parts: MessagePart[]; redacted: string[] }> {
  const { contents, ownHashes } = given;
  const parts = [...given.parts];
  const foreign = parts.flatMap(({ hash }, i) => (ownHashes.has(hash) ? [] : [i]));
  if (redactor.knowsNothing || foreign.length === 0) return { parts, redacted: [] };
  const missing = foreign.map((i) => (parts[i] as MessagePart).hash).filter((hash) => !contents.has(hash));
  for (const [hash, bytes] of await getContents(tx, agentRunId, missing)) contents.set(hash, bytes);
  const cleaned: string[] = [];
  const forgotten: string[] = [];
  const names = new Set<string>();
  for (const i of foreign) {
    const part = parts[i] as MessagePart;
    const bytes = contents.get(part.hash);
    if (!bytes) continue; // erased, which is told when the request is made
    const found = redactor.json(JSON.parse(bytes.toString('utf8')) as unknown);
    if (found.names.length === 0) continue;
    for (const name of found.names) names.add(name);
    const text = JSON.stringify(found.value);
    const hash = sha256Hex(text);
    cleaned.push(text);
    forgotten.push(part.hash);
    contents.set(hash, Buffer.from(text, 'utf8'));
    parts[i] = { ...part, hash };
  }
  if (cleaned.length > 0) {
    atCommit(tx, putContents(tx, agentRunId, cleaned), forgetContents(tx, agentRunId, forgotten));
  }
  return { parts, redacted: [...names].toSorted() };
}
