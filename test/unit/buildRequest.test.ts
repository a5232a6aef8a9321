// The request of a step: pure, canonical, and only ever extended.
import fc from 'fast-check';
import { agentDefinition } from '../../contracts/agent.js';
import type { ContentBlock } from '../../contracts/conversation.js';
import { canonicalJson, sha256Hex } from '../../harness/canonical.js';
import {
  type ConversationMessage,
  headHash,
  requestHead,
  requestText,
  resolveMessage,
  shownSizes,
} from '../../harness/context/buildRequest.js';
import { postedRequest } from '../../harness/context/postedRequest.js';
import { RequestHash } from '../../harness/context/requestHash.js';

const definition = agentDefinition.parse({
  name: 'a',
  model: 'claude-sonnet-5-5',
  effort: 'medium',
  instructions: { role: 'You help.', rules: 'Be kind.' },
});
const head = requestHead(definition, []);

function conversationOf(texts: readonly string[]): ConversationMessage[] {
  const conversation: ConversationMessage[] = [];
  texts.forEach((text, i) => {
    const blocks = Buffer.from(JSON.stringify([{ type: 'text', text }]));
    const row = {
      seq: i + 1,
      role: i % 2 === 0 ? ('user' as const) : ('assistant' as const),
      step: 1 + Math.floor(i / 2),
    };
    const parts = [{ kind: 'blocks' as const, hash: sha256Hex(blocks) }];
    conversation.push(
      resolveMessage({ ...row, parts }, conversation.at(-1)?.prefixHash ?? headHash(head), () => blocks),
    );
  });
  return conversation;
}

const requestOf = (conversation: readonly ConversationMessage[]) => ({
  ...head,
  messages: conversation.map((m) => m.message),
});

test('what is posted is the request, message by message, each written down once', () => {
  fc.assert(
    fc.property(fc.array(fc.string(), { minLength: 1, maxLength: 6 }), (texts) => {
      const conversation = conversationOf(texts);
      for (const shown of [conversation.slice(0, 1), conversation]) {
        const { messages } = requestOf(shown);
        expect(postedRequest(head, shown).toString()).toBe(JSON.stringify({ ...head, stream: true, messages }));
      }
    }),
  );
});

test('the text put together from canonical pieces is the canonical form of the request', () => {
  fc.assert(
    fc.property(fc.array(fc.string(), { minLength: 1, maxLength: 6 }), (texts) => {
      const conversation = conversationOf(texts);
      expect(requestText(head, conversation)).toBe(canonicalJson(requestOf(conversation)));
    }),
  );
});

test('the hash of a step extends that of the step before and is the hash of the whole request', () => {
  const cut = fc.tuple(fc.array(fc.string(), { minLength: 1, maxLength: 8 }), fc.nat(), fc.nat());
  fc.assert(
    fc.property(cut, ([texts, a, b]) => {
      const whole = conversationOf(texts);
      const [first, second] = [a % (texts.length + 1), b % (texts.length + 1)].toSorted((x, y) => x - y) as [
        number,
        number,
      ];
      const begun = RequestHash.begin(head).extend(whole.slice(0, first)).extend(whole.slice(0, second));
      expect(begun.extend(whole).hex()).toBe(sha256Hex(requestText(head, whole)));
      expect(begun.hex()).toBe(sha256Hex(requestText(head, whole.slice(0, second))));
    }),
  );
});

test('a longer conversation keeps the prefix hashes of the shorter one, and a changed word changes all that follow', () => {
  const short = conversationOf(['a', 'b', 'c']);
  const long = conversationOf(['a', 'b', 'c', 'd', 'e']);
  const changed = conversationOf(['a', 'B', 'c', 'd', 'e']);
  expect(long.slice(0, 3).map((m) => m.prefixHash)).toEqual(short.map((m) => m.prefixHash));
  expect(changed[0]?.prefixHash).toBe(long[0]?.prefixHash);
  expect(changed.slice(1).every((m, i) => m.prefixHash !== long[i + 1]?.prefixHash)).toBe(true);
});

test('named sections stand in their order, and the last one ends the part that is cached', () => {
  expect(head.system.map((b) => b.text)).toEqual(['<role>\nYou help.\n</role>', '<rules>\nBe kind.\n</rules>']);
  expect(head.system.map((b) => b.cache_control?.type)).toEqual([undefined, 'ephemeral']);
});

test('tool results stand first in a message, whole, with their errors marked', () => {
  const contents = new Map<string, ContentBlock[]>([
    ['r', [{ type: 'text', text: 'result' }]],
    ['m', [{ type: 'text', text: 'and a word' }]],
  ]);
  const message = resolveMessage(
    {
      seq: 3,
      role: 'user',
      step: 2,
      parts: [
        { kind: 'tool_result', toolCallId: 't1', hash: 'r', isError: true },
        { kind: 'blocks', hash: 'm' },
      ],
    },
    'x',
    (hash) => Buffer.from(JSON.stringify(contents.get(hash))),
  );
  expect(message.message.content).toEqual([
    { type: 'tool_result', tool_use_id: 't1', content: [{ type: 'text', text: 'result' }], is_error: true },
    { type: 'text', text: 'and a word' },
  ]);
});

test('a reply without content is shown as a text, because the API takes no empty message', () => {
  const row = { seq: 2, role: 'assistant' as const, step: 1, parts: [{ kind: 'blocks' as const, hash: 'e' }] };
  const message = resolveMessage(row, 'x', () => Buffer.from('[]'));
  expect(message.message.content).toEqual([{ type: 'text', text: '(no content)' }]);
});

test('sizes by category add up to what is shown', () => {
  const sizes = shownSizes(head, conversationOf(['question', 'answer']));
  expect(sizes).toMatchObject({ toolResults: 0 });
  expect(sizes.user).toBeGreaterThan('question'.length);
  expect(sizes.assistant).toBeGreaterThan('answer'.length);
});
