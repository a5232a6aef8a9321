// What a tool or a model gave, without the secrets that this process knows: before it is stored, shown, streamed or judged.
import type { ContentBlock } from '../contracts/conversation.js';
import type { Leak } from '../harness/policy/judgeToolCalls.js';
import { type Redactor, redactedAs } from '../harness/redaction/redactor.js';
import type { ModelReply } from '../providers/modelProvider.js';
import type { Settled } from '../tools/execution.js';

const textBlock = (text: string): ContentBlock => ({ type: 'text', text });

/** With the names of what was in it. */
export function redactSettled(redactor: Redactor, settled: Settled): { settled: Settled; redacted: string[] } {
  if (redactor.knowsNothing) return { settled, redacted: [] };
  if (settled.kind !== 'result') {
    const { value, names } = redactor.text(settled.text);
    return { settled: { ...settled, text: value }, redacted: names };
  }
  const texts = settled.content.map((block) => (block.type === 'text' ? String(block['text']) : ''));
  const clean = redactor.texts(texts);
  const names = new Set(clean.names);
  const content = settled.content.map((block, i) => {
    if (block.type === 'text') return textBlock(clean.value[i] as string);
    const found = redactor.json(block).names;
    for (const name of found) names.add(name);
    // Bytes or an address with a piece cut out would be no image any more.
    return found.length === 0 ? block : textBlock(`(left out: ${found.map(redactedAs).join(' ')} was in it)`);
  });
  return { settled: { ...settled, content }, redacted: [...names].toSorted() };
}

export interface RedactedReply extends ModelReply {
  redacted: string[];
  /** Calls whose arguments held a secret: they are refused, and kept without it. */
  leaks: Map<ContentBlock, Leak>;
}

export function redactReply(redactor: Redactor, reply: ModelReply): RedactedReply {
  const leaks = new Map<ContentBlock, Leak>();
  if (redactor.knowsNothing) return { ...reply, redacted: [], leaks };
  // Together: a secret may be split over the calls of one reply.
  const given = reply.content.filter(isCall).map((block) => block['input']);
  const inputs = redactor.json(given);
  const all = new Set(inputs.names);
  let next = 0;
  const content = reply.content.map((block) => {
    if (isCall(block)) {
      const input = inputs.value[next];
      const changed = inputs.names.length > 0 && JSON.stringify(input) !== JSON.stringify(given[next]);
      next += 1;
      const { value: call, names } = redactor.json({ ...block, input });
      const own = redactor.json(block).names;
      for (const name of names) all.add(name);
      // It holds a part, and another call the rest.
      if (changed && own.length === 0) own.push(...inputs.names);
      if (own.length > 0) leaks.set(call, { names: own, kind: kindOf(redactor, own) });
      return own.length > 0 ? call : block;
    }
    const { value, names } = redactor.json(block);
    for (const name of names) all.add(name);
    // A thought is signed by the provider as it is: with other words it would be refused.
    const isThought = String((block as ContentBlock | null)?.type).endsWith('thinking');
    return names.length > 0 && isThought ? textBlock(names.map(redactedAs).join(' ')) : value;
  });
  return { ...reply, content, redacted: [...all].toSorted(), leaks };
}

/** A model may send anything. */
const isCall = (block: ContentBlock | null): boolean => block?.type === 'tool_use';

const kindOf = (redactor: Redactor, names: readonly string[]): Leak['kind'] =>
  names.some((name) => redactor.kindOf(name) === 'canary') ? 'canary' : 'secret';
