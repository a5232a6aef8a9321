// From a script's answer to a message of the Messages API, and from that to the events of its stream.
import { createHash } from 'node:crypto';
import { type Block, type MessagesRequest, conversationOf, filled, turnOf } from './conversation.js';
import type { Answer } from './script.js';
import { estimateTokens, signThinking } from './validateRequest.js';

export interface RawUsage {
  input_tokens: number;
  output_tokens: number;
  cache_read_input_tokens: number;
  cache_creation_input_tokens: number;
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

/** `cachedTokens`: what earlier requests of the conversation have put into the cache. */
export function renderReply(answer: Answer, request: MessagesRequest, cachedTokens: number): ReplyMessage {
  const content = answer.reply.map((b, i): Block => {
    if ('text' in b) return { type: 'text', text: String(filled(b.text, request)) };
    if ('thinking' in b) {
      const thinking = String(filled(b.thinking, request));
      return { type: 'thinking', thinking, signature: signThinking(request, request.messages, thinking) };
    }
    if ('tool' in b) {
      return { type: 'tool_use', id: b.id ?? toolUseId(request, i), name: b.tool, input: filled(b.input, request) };
    }
    return b.block as Block;
  });
  const asks = content.some((b) => b.type === 'tool_use');
  return {
    id: `msg_${hash([request.messages, answer]).slice(0, 24)}`,
    type: 'message',
    role: 'assistant',
    model: request.model,
    content,
    stop_reason: answer.stopReason ?? (asks ? 'tool_use' : 'end_turn'),
    stop_sequence: null,
    usage: usageOf(answer, request, content, cachedTokens),
  };
}

const hash = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex');

/** The same request always gets the same ids. */
const toolUseId = (request: MessagesRequest, index: number): string =>
  `toolu_${hash([conversationOf(request), turnOf(request), index]).slice(0, 22)}`;

function usageOf(answer: Answer, request: MessagesRequest, content: Block[], cachedTokens: number): RawUsage {
  const all = estimateTokens([request.system, request.tools, request.messages]);
  const caches = 'cache_control' in request;
  const read = caches ? Math.min(cachedTokens, all) : 0;
  const given = answer.usage ?? {};
  return {
    input_tokens: given.inputTokens ?? (caches ? 3 : all),
    output_tokens: given.outputTokens ?? estimateTokens(content),
    cache_read_input_tokens: given.cacheReadTokens ?? read,
    cache_creation_input_tokens: given.cacheWriteTokens ?? (caches ? all - read : 0),
  };
}

export interface StreamEvent {
  type: string;
  [field: string]: unknown;
}

const CHUNK = 24;

export function streamEvents(message: ReplyMessage): StreamEvent[] {
  const { output_tokens, ...inputUsage } = message.usage;
  const start = { ...message, content: [], stop_reason: null, usage: { ...inputUsage, output_tokens: 1 } };
  return [
    { type: 'message_start', message: start },
    ...message.content.flatMap(blockEvents),
    {
      type: 'message_delta',
      delta: { stop_reason: message.stop_reason, stop_sequence: null },
      usage: { ...inputUsage, output_tokens },
    },
    { type: 'message_stop' },
  ];
}

function blockEvents(block: Block, index: number): StreamEvent[] {
  const [start, deltas] = startAndDeltas(block);
  return [
    { type: 'content_block_start', index, content_block: start },
    ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })),
    { type: 'content_block_stop', index },
  ];
}

function startAndDeltas(block: Block): [Block, Block[]] {
  switch (block.type) {
    case 'text':
      return [{ ...block, text: '' }, chunks(String(block['text'])).map((text) => ({ type: 'text_delta', text }))];
    case 'thinking':
      return [
        { type: 'thinking', thinking: '', signature: '' },
        [
          ...chunks(String(block['thinking'])).map((thinking) => ({ type: 'thinking_delta', thinking })),
          { type: 'signature_delta', signature: block['signature'] },
        ],
      ];
    case 'tool_use':
      return [
        { ...block, input: {} },
        chunks(JSON.stringify(block['input'])).map((partial_json) => ({ type: 'input_json_delta', partial_json })),
      ];
    default:
      return [block, []];
  }
}

function chunks(text: string): string[] {
  const parts: string[] = [];
  for (let from = 0; from < text.length; from += CHUNK) parts.push(text.slice(from, from + CHUNK));
  return parts;
}
