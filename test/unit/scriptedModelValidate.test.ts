// The scripted model refuses what the real Messages API refuses, and takes what it takes.
import fc from 'fast-check';
import { validateRequest } from '../../embedded/scriptedModel/validateRequest.js';

const limits = { window: 10_000, maxOutput: 4000 };

type Fields = Record<string, unknown>;
const text = (value: string): Fields => ({ type: 'text', text: value });
const call = (id: string, more: Fields = {}): Fields => ({ type: 'tool_use', id, name: 'look', input: {}, ...more });
const result = (id: string, more: Fields = {}): Fields => ({
  type: 'tool_result',
  tool_use_id: id,
  content: 'ok',
  ...more,
});
const user = (...content: Fields[]): Fields => ({ role: 'user', content });
const assistant = (...content: Fields[]): Fields => ({ role: 'assistant', content });
const tool = (more: Fields = {}): Fields => ({ name: 'look', input_schema: { type: 'object' }, ...more });

const request = (more: Fields = {}): Fields => ({
  model: 'scripted/x',
  max_tokens: 100,
  messages: [{ role: 'user', content: 'go' }],
  ...more,
});
const said = (...messages: Fields[]): Fields => request({ messages: [user(text('go')), ...messages] });
const short = { cache_control: { type: 'ephemeral' } };
const long = { cache_control: { type: 'ephemeral', ttl: '1h' } };

const without = (field: string): Fields => Object.fromEntries(Object.entries(request()).filter(([k]) => k !== field));

describe('taken', () => {
  test.each<[string, Fields]>([
    ['the least', request()],
    ['instructions as a text', request({ system: 'be kind' })],
    ['two user messages in a row', said(user(text('and more')))],
    ['a system message in mid-conversation', said(assistant(text('yes')), { role: 'system', content: 'now be quick' })],
    ['a call and its result', said(assistant(text('I look'), call('a')), user(result('a'), text('go on')))],
    [
      'parallel calls, results in another order',
      said(assistant(call('a'), call('b')), user(result('b', { is_error: true }), result('a'))),
    ],
    ['a result without content', said(assistant(call('a')), user({ type: 'tool_result', tool_use_id: 'a' }))],
    ['a result of several parts', said(assistant(call('a')), user(result('a', { content: [text('x'), text('y')] })))],
    ['blank text beside a call', said(assistant(text('\n\n'), call('a')), user(result('a')))],
    ['a call of a tool that there is not', said(assistant(call('a', { name: 'gone' })), user(result('a')))],
    ['a paused reply to go on with', said(assistant(text('I was saying')))],
    [
      'four marks for the cache',
      request({
        tools: [tool(long)],
        system: [{ ...text('s'), ...long }],
        ...short,
        messages: [user({ ...text('m'), ...short })],
      }),
    ],
    ['a tool of the server', request({ tools: [{ type: 'web_search_20260209', name: 'web_search' }] })],
  ])('%s', (_, body) => {
    expect(validateRequest(body, limits)).toBeUndefined();
  });
});

describe('refused', () => {
  test.each<[string, unknown, RegExp]>([
    ['no object', [], /valid dictionary/],
    ['temperature', request({ temperature: 1 }), /temperature.*no longer supported/],
    ['top_p', request({ top_p: 1 }), /top_p/],
    ['top_k', request({ top_k: 1 }), /top_k/],
    ['an unknown field', request({ agentRunId: 1 }), /^agentRunId: Extra inputs are not permitted$/],
    ['no model', without('model'), /^model: Field required$/],
    ['no max_tokens', without('max_tokens'), /^max_tokens: Field required$/],
    ['no messages', without('messages'), /^messages: Field required$/],
    ['max_tokens that are no number', request({ max_tokens: '9' }), /max_tokens: Input should be a valid integer/],
    ['more output than the model has', request({ max_tokens: 4001 }), /max_tokens: 4001 > 4000/],
    ['an empty conversation', request({ messages: [] }), /at least one message/],
    [
      'the assistant speaking first',
      request({ messages: [assistant(text('hi'))] }),
      /first message must use the "user"/,
    ],
    ['an unknown role', said({ role: 'tool', content: 'x' }), /messages\.1\.role/],
    ['a field beside role and content', said({ ...user(text('x')), step: 3 }), /messages\.1\.step: Extra inputs/],
    ['empty content', said(assistant()), /messages\.1: all messages must have non-empty content/],
    ['an empty text', said(assistant(text('')), user(text('x'))), /text content blocks must be non-empty/],
    ['a blank text of the user', said(user(text(' \n'))), /non-whitespace/],
    ['a blank message of the assistant', said(assistant(text(' \n')), user(text('x'))), /non-whitespace/],
    ['blanks at the end of a reply to go on with', said(assistant(text('well '))), /trailing whitespace/],
    ['a block of unknown type', said(user({ type: 'note' })), /messages\.1\.content\.0: Input tag 'note'/],
    ['a field that a block has not', said(user({ ...text('x'), hash: 'y' })), /text\.hash: Extra inputs/],
    ['a tool call by the user', said(user(call('a'))), /Input tag 'tool_use'/],
    ['thinking by the user', said(user({ type: 'thinking', thinking: 'x', signature: 'y' })), /Input tag 'thinking'/],
    ['a result by the assistant', said(assistant(call('a')), assistant(result('a'))), /Input tag 'tool_result'/],
    ['a call without result', said(assistant(call('a'))), /messages\.1: `tool_use` ids were found without.*: a\./],
    [
      'a call answered too late',
      said(assistant(call('a')), user(text('x')), user(result('a'))),
      /messages\.1.*without/,
    ],
    ['one of two calls answered', said(assistant(call('a'), call('b')), user(result('a'))), /without.*: b\./],
    ['results in two messages', said(assistant(call('a'), call('b')), user(result('a')), user(result('b'))), /: b\./],
    ['a result of nothing', said(user(result('a'))), /messages\.1\.content\.0: unexpected `tool_use_id`.*: a\./],
    ['two results of one call', said(assistant(call('a')), user(result('a'), result('a'))), /single result/],
    ['text before the results', said(assistant(call('a')), user(text('x'), result('a'))), /must come first/],
    ['an id twice in a message', said(assistant(call('a'), call('a')), user(result('a'))), /ids must be unique/],
    [
      'an id twice in the conversation',
      said(assistant(call('a')), user(result('a')), assistant(call('a')), user(result('a'))),
      /messages\.3: `tool_use` ids must be unique/,
    ],
    ['an id with odd letters', said(assistant(call('a b')), user(result('a b'))), /tool_use\.id: String should match/],
    ['a call with odd letters', said(assistant(call('a', { name: 'a.b' })), user(result('a'))), /tool_use\.name/],
    ['input that is no object', said(assistant(call('a', { input: 'x' })), user(result('a'))), /tool_use\.input/],
    [
      'an error without content',
      said(assistant(call('a')), user(result('a', { is_error: true, content: [] }))),
      /content cannot be empty if `is_error` is true/,
    ],
    ['an empty part of a result', said(assistant(call('a')), user(result('a', { content: [text('')] }))), /non-empty/],
    [
      'a result that is a number',
      said(assistant(call('a')), user(result('a', { content: 5 }))),
      /tool_result\.content/,
    ],
    ['half a character', said(user(text('\ud83e'))), /no low surrogate/],
    ['a tool with an odd name', request({ tools: [tool({ name: 'a b' })] }), /tools\.0\.custom\.name/],
    ['two tools of one name', request({ tools: [tool(), tool()] }), /Tool names must be unique/],
    ['a tool without schema', request({ tools: [{ name: 'look' }] }), /input_schema: Field required/],
    ['a schema of an array', request({ tools: [tool({ input_schema: { type: 'array' } })] }), /'object'/],
    ['a choice of schemas', request({ tools: [tool({ input_schema: { type: 'object', anyOf: [] } })] }), /anyOf/],
    ['a field that tools have not', request({ tools: [tool({ effect: 'read' })] }), /effect: Extra inputs/],
    [
      'a forced call while thinking',
      request({ tools: [tool()], tool_choice: { type: 'any' }, thinking: { type: 'adaptive' } }),
      /Thinking may not be enabled/,
    ],
    ['a forced call of no tool', request({ tools: [tool()], tool_choice: { type: 'tool', name: 'x' } }), /not found/],
    [
      'five marks',
      said(user(...Array.from({ length: 5 }, () => ({ ...text('x'), ...short })))),
      /maximum of 4.*Found 5/,
    ],
    ['a long mark after a short one', said(user({ ...text('x'), ...short }, { ...text('y'), ...long })), /ttl='1h'/],
    ['a mark of unknown kind', said(user({ ...text('x'), cache_control: { type: 'forever' } })), /cache_control/],
    [
      'thinking that we did not sign',
      said(assistant({ type: 'thinking', thinking: 'x', signature: 'y' }, text('z')), user(text('x'))),
      /messages\.1\.content\.0: Invalid `signature` in `thinking` block/,
    ],
    [
      'more than the window holds',
      said(user(text('x'.repeat(40_100)))),
      /prompt is too long: \d+ tokens > 10000 maximum/,
    ],
  ])('%s', (_, body, message) => {
    const refusal = validateRequest(body, limits);
    expect(refusal).toMatchObject({ status: 400, type: 'invalid_request_error' });
    expect(refusal?.message).toMatch(message);
  });
});

test('an image counts by what it is worth, not by its bytes', () => {
  const source = { type: 'base64', media_type: 'image/png', data: 'A'.repeat(500_000) };
  expect(validateRequest(said(user({ type: 'image', source })), limits)).toBeUndefined();
});

test('no JSON makes the check throw', () => {
  const anyBlock = fc.oneof(
    fc.jsonValue(),
    fc.record({
      type: fc.constantFrom('text', 'tool_use', 'tool_result', 'thinking', 'image', 'x'),
      id: fc.jsonValue(),
      tool_use_id: fc.jsonValue(),
      content: fc.jsonValue(),
      text: fc.jsonValue(),
      cache_control: fc.jsonValue(),
    }),
  );
  const anyMessage = fc.oneof(
    fc.jsonValue(),
    fc.record({
      role: fc.constantFrom('user', 'assistant', 'system'),
      content: fc.oneof(fc.jsonValue(), fc.array(anyBlock)),
    }),
  );
  const anyRequest = fc.record(
    {
      model: fc.constantFrom('scripted/x', 3, null),
      max_tokens: fc.oneof(fc.constant(10), fc.jsonValue()),
      messages: fc.oneof(fc.jsonValue(), fc.array(anyMessage)),
      system: fc.oneof(fc.jsonValue(), fc.array(anyBlock)),
      tools: fc.oneof(
        fc.jsonValue(),
        fc.array(fc.oneof(fc.jsonValue(), fc.record({ name: fc.string(), input_schema: fc.jsonValue() }))),
      ),
      tool_choice: fc.jsonValue(),
      thinking: fc.jsonValue(),
      cache_control: fc.jsonValue(),
    },
    { requiredKeys: ['model', 'max_tokens', 'messages'] },
  );
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), anyRequest), (body) => {
      const refusal = validateRequest(body, limits);
      expect(refusal?.status ?? 400).toBe(400);
    }),
    { numRuns: 3000 },
  );
});
