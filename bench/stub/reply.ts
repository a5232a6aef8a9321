// One reply of the model stub, as the stream that the API sends.
import { REPLY_BYTES, words } from '../payload.js';

export function replyOf(run: string, turn: number, isLast: boolean): string {
  const tool = { type: 'tool_use', id: `toolu_${run}_${turn}`, name: 'look', input: {} };
  const input = JSON.stringify({ turn });
  const usage = { input_tokens: 100, output_tokens: 1, cache_read_input_tokens: 0, cache_creation_input_tokens: 0 };
  const message = {
    ...{ id: `msg_${run}_${turn}`, type: 'message', role: 'assistant', model: 'scripted/bench', content: [] },
    ...{ stop_reason: null, stop_sequence: null, usage },
  };
  const text = { type: 'text_delta', text: words(turn, REPLY_BYTES) };
  return [
    { type: 'message_start', message },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    { type: 'content_block_delta', index: 0, delta: text },
    { type: 'content_block_stop', index: 0 },
    ...(isLast
      ? []
      : [
          { type: 'content_block_start', index: 1, content_block: tool },
          { type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: input } },
          { type: 'content_block_stop', index: 1 },
        ]),
    {
      type: 'message_delta',
      delta: { stop_reason: isLast ? 'end_turn' : 'tool_use', stop_sequence: null },
      usage: { output_tokens: 100 },
    },
    { type: 'message_stop' },
  ]
    .map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
    .join('');
}
