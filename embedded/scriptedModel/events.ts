// From a message to the events of its stream.
import type { Block } from './conversation.js';
import type { ReplyMessage } from './render.js';

export interface StreamEvent {
  type: string;
  [field: string]: unknown;
}

export function streamEvents(message: ReplyMessage, chunkChars: number): StreamEvent[] {
  const { output_tokens, ...inputUsage } = message.usage;
  const start = { ...message, content: [], stop_reason: null, usage: { ...inputUsage, output_tokens: 1 } };
  return [
    { type: 'message_start', message: start },
    ...message.content.flatMap((block, index) => blockEvents(block, index, chunkChars)),
    {
      type: 'message_delta',
      delta: { stop_reason: message.stop_reason, stop_sequence: null },
      usage: { ...inputUsage, output_tokens },
    },
    { type: 'message_stop' },
  ];
}

function blockEvents(block: Block, index: number, chunkChars: number): StreamEvent[] {
  const [start, deltas] = startAndDeltas(block, chunkChars);
  return [
    { type: 'content_block_start', index, content_block: start },
    ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })),
    { type: 'content_block_stop', index },
  ];
}

function startAndDeltas(block: Block, chunkChars: number): [Block, Block[]] {
  const pieces = (text: unknown): string[] => chunks(typeof text === 'string' ? text : '', chunkChars);
  switch (block.type) {
    case 'text':
      return [{ ...block, text: '' }, pieces(block['text']).map((text) => ({ type: 'text_delta', text }))];
    case 'thinking':
      return [
        { ...block, thinking: '', signature: '' },
        [
          ...pieces(block['thinking']).map((thinking) => ({ type: 'thinking_delta', thinking })),
          { type: 'signature_delta', signature: block['signature'] ?? '' },
        ],
      ];
    case 'tool_use':
      return [
        { ...block, input: {} },
        pieces(JSON.stringify(block['input'] ?? {})).map((partial_json) => ({
          type: 'input_json_delta',
          partial_json,
        })),
      ];
    default:
      return [block, []];
  }
}

/** Never through the middle of a character. */
function chunks(text: string, length: number): string[] {
  const characters = Array.from(text);
  const parts: string[] = [];
  for (let from = 0; from < characters.length; from += length) {
    parts.push(characters.slice(from, from + length).join(''));
  }
  return parts;
}
