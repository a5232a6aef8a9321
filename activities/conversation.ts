// The conversation of a run as the model sees it. Kept in the worker by last sequence number: only the tail is read.
import type { MessageRow } from '../contracts/conversation.js';
import { getContents } from '../db/contents.js';
import { readMessages } from '../db/messages.js';
import type { Queryable } from '../db/pool.js';
import { type ConversationMessage, resolveMessage } from '../harness/context/buildRequest.js';
import type { RequestHash } from '../harness/context/requestHash.js';

/** Conversations kept at once, and their bytes in all. The least recently used goes first. */
const MAX_RUNS = 500;
const MAX_BYTES = 256 * 1024 * 1024;

/** The content of a run was erased; nothing can be shown to a model any more. */
export class ContentErased extends Error {
  override readonly name = 'ContentErased';
}

/** The whole conversation of a run, from the database alone. */
export async function readConversation(
  db: Queryable,
  agentRunId: string,
  headHash: string,
): Promise<ConversationMessage[]> {
  const rows = await readMessages(db, agentRunId);
  return extend([], rows, headHash, await getContents(db, agentRunId, hashesOf(rows)));
}

export const hashesOf = (rows: readonly MessageRow[]): string[] =>
  rows.flatMap((row) => row.parts.map((part) => part.hash));

/** `known` and the messages that follow it. Throws ContentErased when `contents` lacks one. */
export function extend(
  known: readonly ConversationMessage[],
  rows: readonly MessageRow[],
  headHash: string,
  contents: ReadonlyMap<string, Buffer>,
): ConversationMessage[] {
  const bytesOf = (hash: string): Buffer => {
    const bytes = contents.get(hash);
    if (!bytes) throw new ContentErased(`content ${hash} was erased`);
    return bytes;
  };
  const conversation = [...known];
  for (const row of rows) {
    conversation.push(resolveMessage(row, conversation.at(-1)?.prefixHash ?? headHash, bytesOf));
  }
  return conversation;
}

/** A conversation with the hash of the request that shows it. */
export interface HashedConversation {
  messages: readonly ConversationMessage[];
  hash: RequestHash;
}

export class ConversationCache {
  private readonly runs = new Map<string, HashedConversation & { bytes: number }>();
  private bytes = 0;

  of(agentRunId: string): HashedConversation | undefined {
    return this.runs.get(agentRunId);
  }

  /** Only what is committed: a message of a transaction that was rolled back never was. */
  keep(agentRunId: string, { messages, hash }: HashedConversation): void {
    this.forget(agentRunId);
    const bytes = messages.reduce((sum, m) => sum + m.bytes, 0);
    this.runs.set(agentRunId, { messages, hash, bytes });
    this.bytes += bytes;
    while (this.runs.size > 1 && (this.runs.size > MAX_RUNS || this.bytes > MAX_BYTES)) {
      this.forget(this.runs.keys().next().value as string);
    }
  }

  forget(agentRunId: string): void {
    this.bytes -= this.runs.get(agentRunId)?.bytes ?? 0;
    this.runs.delete(agentRunId);
  }
}
