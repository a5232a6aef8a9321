// Replies full of tool calls that nothing may execute, each with one good call among them, from a seed.
import fc from 'fast-check';
import type { ScriptInput } from '../../../embedded/scriptedModel/client.js';

export const kinds = ['unknown tool', 'malformed arguments', 'oversize', 'duplicate or bad id', 'cut off'] as const;
export type Kind = (typeof kinds)[number];

/** The one tool of the agent: `what` is a string, nothing else is taken. */
export const TOOL = 'charge';
const CALLS_OF_A_REPLY = 50;
/** So many replies of a conversation, of which the last but one is cut off as a whole. */
const REPLIES = 3;

export interface Conversation {
  turns: ScriptInput['turns'];
  /** Kind of each call that may not run, by step and place in its reply; undefined: the good one. */
  steps: (Kind | undefined)[][];
  /** Arguments of the calls that are good. */
  good: string[];
}

type Block = { [field: string]: unknown };
interface Bad {
  kind: Kind;
  block: Block;
}

const odd = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.constantFrom(
    '',
    ' ',
    '__proto__',
    'constructor',
    'toString',
    'Charge',
    'charge ',
    'charge\u0000',
    'cha rge',
    '../charge',
  ),
);
const noObject = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.double(),
  fc.string(),
  fc.array(fc.jsonValue(), { maxLength: 3 }),
);
/** Any JSON, but no object whose only field is `what` with a string. */
const wrongObject = fc
  .dictionary(fc.oneof(odd, fc.constantFrom('what', 'amount')), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 5 })
  .filter((args) => Object.keys(args).join() !== 'what' || typeof args['what'] !== 'string');
const deep = fc.integer({ min: 2, max: 200 }).map((depth) => {
  let value: unknown = 'x';
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { what: value };
  return { what: value };
});
const goodInput = { what: 'must never arrive' };

const unknownTool: fc.Arbitrary<Bad> = fc
  .oneof(odd, noObject)
  .filter((name) => name !== TOOL)
  .map((name) => ({ kind: 'unknown tool', block: { name, input: goodInput } }));
const malformed: fc.Arbitrary<Bad> = fc
  .oneof(noObject, wrongObject, deep)
  .map((input) => ({ kind: 'malformed arguments', block: { name: TOOL, input } }));
const badId: fc.Arbitrary<Bad> = fc
  .oneof(fc.constantFrom('', 'a b', 'ü', 'x'.repeat(129), 'call_s1_0', 'same', null, 7), fc.constant({}))
  .map((id) => ({ kind: 'duplicate or bad id', block: { id, name: TOOL, input: goodInput } }));
const bad = fc.oneof(unknownTool, malformed, badId);

const same: Bad = { kind: 'duplicate or bad id', block: { id: 'same', name: TOOL, input: goodInput } };

/** A mebibyte and one byte, once in a while: every such call is kept and posted again. */
const OVERSIZE_EVERY = 40;
const oversize: Bad = { kind: 'oversize', block: { name: TOOL, input: { what: 'x'.repeat(1024 * 1024 + 1) } } };

/** At least `count` calls that may not run. The same seed makes the same ones. */
export function* conversations(count: number, seed: number): Generator<Conversation> {
  for (let made = 0, n = 0; made < count; n++) {
    const conversation = conversationOf(n, seed + n);
    made += conversation.steps.flat().filter((kind) => kind !== undefined).length;
    yield conversation;
  }
}

function conversationOf(n: number, seed: number): Conversation {
  const all = fc.sample(bad, { numRuns: CALLS_OF_A_REPLY * REPLIES, seed });
  const conversation: Conversation = { turns: [], steps: [], good: [] };
  const used: string[] = [];
  for (let step = 1; step <= REPLIES; step++) {
    const calls: (Bad | undefined)[] = all.slice((step - 1) * CALLS_OF_A_REPLY, step * CALLS_OF_A_REPLY);
    calls.push(same, same);
    if (step === 1 && n % OVERSIZE_EVERY === 0) calls[0] = oversize;
    const what = `good-${seed}-${step}`;
    calls.splice((seed * 7 + step) % calls.length, 0, undefined);
    const cutOff = step === REPLIES - 1;
    if (!cutOff) conversation.good.push(what);
    conversation.steps.push(calls.map((call) => (cutOff ? 'cut off' : call?.kind)));
    const reply = calls.map((call, place) => {
      const { id = `id-${step}-${place}`, ...block } = call?.block ?? { name: TOOL, input: { what } };
      if (step === 1 && id === `id-1-${place}`) used.push(id);
      // Some of the first step's ids come again in the last one.
      const again = call && step === REPLIES && place % 5 === 0 ? used[place] : undefined;
      return { block: { type: 'tool_use', ...block, id: again ?? id } };
    });
    conversation.turns.push({ reply, ...(cutOff ? { stopReason: 'max_tokens' } : {}) });
  }
  conversation.turns.push({ reply: [{ text: 'done' }] });
  return conversation;
}
