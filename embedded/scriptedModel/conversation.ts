// What a request shows: its blocks, texts and results, and which conversation and turn it belongs to.
import { createHash } from 'node:crypto';
import { canonicalJson } from '../../harness/canonical.js';

export interface Block {
  type: string;
  [field: string]: unknown;
}
export interface Message {
  role: string;
  content: string | Block[];
}
export interface MessagesRequest {
  model: string;
  max_tokens: number;
  messages: Message[];
  system?: string | Block[];
  tools?: { name: string; type?: string; input_schema?: unknown; [field: string]: unknown }[];
  stream?: boolean;
  [field: string]: unknown;
}

export const blocksOf = (content: string | Block[] | undefined): Block[] =>
  typeof content === 'string' ? [{ type: 'text', text: content }] : (content ?? []);

export const textOf = (content: unknown): string => {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return (content as Block[])
    .map((b) => (typeof b['text'] === 'string' ? b['text'] : b.type === 'tool_result' ? textOf(b['content']) : ''))
    .filter((text) => text !== '')
    .join('\n');
};

export const turnOf = (request: MessagesRequest): number =>
  request.messages.filter((m) => m.role === 'assistant').length;

/** Names a conversation by how it begins; marks for the cache aside, which move. */
export const conversationOf = (request: MessagesRequest): string =>
  createHash('sha256')
    .update(canonicalJson(begin(request)))
    .digest('hex')
    .slice(0, 16);

const begin = ({ model, system, messages }: MessagesRequest): unknown =>
  JSON.parse(
    JSON.stringify([model, blocksOf(system), blocksOf(messages[0]?.content)], (key, value: unknown) =>
      key === 'cache_control' ? undefined : value,
    ),
  );

export const firstUserText = (request: MessagesRequest): string =>
  textOf(request.messages.find((m) => m.role === 'user')?.content);

export const lastUserText = (request: MessagesRequest): string =>
  textOf(request.messages.findLast((m) => m.role === 'user')?.content);

/** The last result of a tool, by name. */
export function lastResultOf(request: MessagesRequest, tool: string): Block | undefined {
  const ids = new Set(
    request.messages.flatMap((m) =>
      blocksOf(m.content).flatMap((b) => (b.type === 'tool_use' && b['name'] === tool ? [b['id']] : [])),
    ),
  );
  return request.messages
    .flatMap((m) => blocksOf(m.content))
    .findLast((b) => b.type === 'tool_result' && ids.has(b['tool_use_id']));
}
