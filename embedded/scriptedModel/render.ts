// From a script's answer to a message of the Messages API.
import { createHash } from 'node:crypto';
import { filled, filledText } from './conditions.js';
import { type Block, type MessagesRequest, blocksOf, conversationOf, turnOf } from './conversation.js';
import { type PrefixStep, extended, lastHash, signThinking } from './prefix.js';
import type { InputUsage } from './promptCache.js';
import type { Answer, ReplyBlock } from './script.js';

export interface RawUsage extends InputUsage {
  output_tokens: number;
}

export interface ReplyMessage {
  id: string;
  type: 'message';
  role: 'assistant';
  model: string;
  content: Block[];
  stop_reason: string;
  stop_sequence: null;
  usage: RawUsage;
}

/** The same request gets the same reply, ids included. */
export function renderReply(
  answer: Answer,
  request: MessagesRequest,
  steps: readonly PrefixStep[],
  input: InputUsage,
): ReplyMessage {
  const content = renderBlocks(answer.reply, request, lastHash(steps));
  const asks = content.some((b) => b.type === 'tool_use');
  const given = answer.usage ?? {};
  return {
    id: `msg_${hash([lastHash(steps), answer.reply]).slice(0, 24)}`,
    type: 'message',
    role: 'assistant',
    model: request.model,
    content,
    stop_reason: answer.stopReason ?? (asks ? 'tool_use' : 'end_turn'),
    stop_sequence: null,
    usage: {
      input_tokens: given.inputTokens ?? input.input_tokens,
      output_tokens: given.outputTokens ?? Math.ceil(JSON.stringify(content).length / 4),
      cache_read_input_tokens: given.cacheReadTokens ?? input.cache_read_input_tokens,
      cache_creation_input_tokens: given.cacheWriteTokens ?? input.cache_creation_input_tokens,
    },
  };
}

function renderBlocks(reply: readonly ReplyBlock[], request: MessagesRequest, prefix: string): Block[] {
  const newId = toolUseIds(request);
  let before = prefix;
  return reply.map((given, i) => {
    const block = renderBlock(given, request, before, () => newId(i));
    before = extended(before, 'assistant', block);
    return block;
  });
}

function renderBlock(given: ReplyBlock, request: MessagesRequest, before: string, newId: () => string): Block {
  if ('text' in given) return { type: 'text', text: filledText(given.text, request) };
  if ('thinking' in given) {
    const thinking = filledText(given.thinking, request);
    return { type: 'thinking', thinking, signature: given.signature ?? signThinking(before, thinking) };
  }
  if ('tool' in given) {
    const id = given.id === undefined ? newId() : filledText(given.id, request);
    return { type: 'tool_use', id, name: given.tool, input: filled(given.input, request) };
  }
  return given.block;
}

const hash = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex');

// Of the conversation's beginning, the turn and the last id before: nothing that a tool answered, so a run and its
// twin get the same ids; and still new ones when a compacted conversation counts its turns anew.
function toolUseIds(request: MessagesRequest): (index: number) => string {
  const last = request.messages.flatMap((m) => blocksOf(m.content)).findLast((b) => b.type === 'tool_use');
  const place = [conversationOf(request), turnOf(request), last?.['id'] ?? null];
  return (index) => `toolu_${hash([...place, index]).slice(0, 22)}`;
}
