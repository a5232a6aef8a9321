// How a reply is put together from the pieces of its stream.
import type { BetaRawMessageStreamEvent } from '@anthropic-ai/sdk/resources/beta/messages';
import { ReplyBuilder } from '../../providers/replyStream.js';

const begin = {
  type: 'message_start',
  message: { content: [], stop_reason: null, usage: { input_tokens: 7, output_tokens: 1, cache_read_input_tokens: 3 } },
};
const end = [
  { type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: { output_tokens: 20, input_tokens: null } },
  { type: 'message_stop' },
];
const block = (index: number, content_block: object, ...deltas: object[]): object[] => [
  { type: 'content_block_start', index, content_block },
  ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })),
  { type: 'content_block_stop', index },
];
const call = (...texts: string[]) =>
  block(
    0,
    { type: 'tool_use', id: 'a', name: 'pay', input: {} },
    ...texts.map((partial_json) => ({ type: 'input_json_delta', partial_json })),
  );

function built(...events: object[]) {
  const builder = new ReplyBuilder();
  for (const event of events) builder.add(event as BetaRawMessageStreamEvent);
  return builder;
}
const inputOf = (...texts: string[]) => built(begin, ...call(...texts), ...end).whole().content[0]?.['input'];

test('pieces of every kind become the block they belong to', () => {
  const reply = built(
    begin,
    ...block(
      0,
      { type: 'thinking', thinking: '', signature: '' },
      { type: 'thinking_delta', thinking: 'hm' },
      { type: 'thinking_delta', thinking: 'm' },
      { type: 'signature_delta', signature: 'sig' },
    ),
    ...block(
      1,
      { type: 'text', text: '', citations: null },
      { type: 'text_delta', text: 'a' },
      { type: 'text_delta', text: 'b' },
      { type: 'citations_delta', citation: { cited_text: 'x' } },
    ),
    ...block(
      2,
      { type: 'compaction', content: null },
      { type: 'compaction_delta', content: 'short', encrypted_content: 'e' },
    ),
    ...block(3, { type: 'redacted_thinking', data: 'as it came' }),
    ...end,
  ).whole();
  expect(reply).toEqual({
    content: [
      { type: 'thinking', thinking: 'hmm', signature: 'sig' },
      { type: 'text', text: 'ab', citations: [{ cited_text: 'x' }] },
      { type: 'compaction', content: 'short', encrypted_content: 'e' },
      { type: 'redacted_thinking', data: 'as it came' },
    ],
    stopReason: 'tool_use',
    usage: { input_tokens: 7, output_tokens: 20, cache_read_input_tokens: 3 },
  });
});

test('arguments are parsed when they are whole', () => {
  expect(inputOf('{"amount":', '1', '00}')).toEqual({ amount: 100 });
  expect(inputOf('', '')).toEqual({});
  expect(inputOf()).toEqual({});
});

test.each(['{"amount":1', '{"to":"bo', '{"a":1}}', 'amount=1', '{"amount":1,}'])(
  'arguments that are no JSON stay a text, never completed: %p',
  (text) => {
    expect(inputOf(text)).toBe(text);
  },
);

test('a stream that ends before the message does, or begins without it, is no reply', () => {
  expect(() => built(begin, ...call('{}')).whole()).toThrow(/ended before the message did/);
  expect(() => built(...end)).toThrow(/began without its message/);
  expect(() =>
    built(begin, { type: 'content_block_delta', index: 4, delta: { type: 'text_delta', text: '' } }),
  ).toThrow(/block 4, which has not begun/);
});
