// The conversation of a run as the model sees it. Kept in the worker by last sequence number: only the tail is read.
import type { MessageRow } from '../contracts/conversation.js';
import { getContents } from '../db/contents.js';
import { readMessages } from '../db/messages.js';
import type { Queryable } from '../db/pool.js';
import { type ConversationMessage, resolveMessage } from '../harness/context/buildRequest.js';

/** Conversations kept at once, and their bytes in all. The least recently used goes first. */
const MAX_RUNS = 500;
const MAX_BYTES = 256 * 1024 * 1024;

/** The content of a run was erased; nothing can be shown to a model any more. */
export class ContentErased extends Error {
  override readonly name = 'ContentErased';
}

/** Reads the messages after those given and resolves them. */
export async function readConversation(
  db: Queryable,
  agentRunId: string,
  headHash: string,
  known: readonly ConversationMessage[] = [],
): Promise<ConversationMessage[]> {
  const rows = await readMessages(db, agentRunId, known.at(-1)?.seq ?? 0);
  const contents = await getContents(
    db,
    agentRunId,
    rows.flatMap((row: MessageRow) => row.parts.map((part) => part.hash)),
  );
  const bytesOf = (hash: string): Buffer => {
    const bytes = contents.get(hash);
    if (!bytes) throw new ContentErased(`content ${hash} of ${agentRunId} was erased`);
    return bytes;
  };
  const conversation = [...known];
  for (const row of rows) {
    conversation.push(resolveMessage(row, conversation.at(-1)?.prefixHash ?? headHash, bytesOf));
  }
  return conversation;
}

export class ConversationCache {
  private readonly runs = new Map<string, { messages: ConversationMessage[]; bytes: number }>();
  private bytes = 0;

  async load(db: Queryable, agentRunId: string, headHash: string): Promise<ConversationMessage[]> {
    const messages = await readConversation(db, agentRunId, headHash, this.runs.get(agentRunId)?.messages);
    this.forget(agentRunId);
    const bytes = messages.reduce((sum, m) => sum + m.text.length, 0);
    this.runs.set(agentRunId, { messages, bytes });
    this.bytes += bytes;
    while (this.runs.size > 1 && (this.runs.size > MAX_RUNS || this.bytes > MAX_BYTES)) {
      this.forget(this.runs.keys().next().value as string);
    }
    return messages;
  }

  /** After a transaction that was rolled back: what was read in it may never have been. */
  forget(agentRunId: string): void {
    this.bytes -= this.runs.get(agentRunId)?.bytes ?? 0;
    this.runs.delete(agentRunId);
  }
}
