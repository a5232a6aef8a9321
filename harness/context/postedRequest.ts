// The request as it is posted. Fields keep the order that the agent and the model gave them, which the model sees; the
// canonical form (requestText) is for hashes.
import type { ConversationMessage, RequestHead, RequestMessage } from './buildRequest.js';

/** A message is written down once and posted in every later step: writing all of them again took longer than posting. */
const written = new WeakMap<RequestMessage, Buffer>();

function bytesOf(message: RequestMessage): Buffer {
  const known = written.get(message);
  if (known) return known;
  const bytes = Buffer.from(JSON.stringify(message));
  written.set(message, bytes);
  return bytes;
}

const COMMA = Buffer.from(',');

/** JSON, for an answer as a stream. */
export function postedRequest(head: RequestHead, conversation: readonly ConversationMessage[]): Buffer {
  const before = `${JSON.stringify({ ...head, stream: true }).slice(0, -1)},"messages":[`;
  const messages = conversation.flatMap(({ message }, i) => (i === 0 ? [bytesOf(message)] : [COMMA, bytesOf(message)]));
  return Buffer.concat([Buffer.from(before), ...messages, Buffer.from(']}')]);
}
