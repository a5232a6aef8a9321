// The request of a step: a pure function of the agent version, the frozen tools and the conversation so far.
// Serialisation is canonical, so the same log gives the same bytes on any worker.
import type { AgentDefinition } from '../../contracts/agent.js';
import type { ContentBlock, MessagePart, MessageRow } from '../../contracts/conversation.js';
import type { ToolDefinition } from '../../contracts/tools.js';
import { canonicalJson, sha256Hex } from '../canonical.js';

/** Everything before the conversation. Frozen per run: nothing that changes may stand here. */
export interface RequestHead {
  model: string;
  max_tokens: number;
  system: { type: 'text'; text: string; cache_control?: { type: 'ephemeral'; ttl?: '5m' | '1h' } }[];
  tools: { name: string; description: string; input_schema: Record<string, unknown> }[];
  thinking: { type: 'adaptive'; display: 'summarized' };
  output_config?: { effort: string };
  cache_control: { type: 'ephemeral'; ttl: '1h' };
}

export interface RequestMessage {
  role: 'user' | 'assistant';
  content: ContentBlock[];
}

/** A message with its bytes at hand. */
export interface ConversationMessage {
  seq: number;
  role: 'user' | 'assistant';
  step: number;
  message: RequestMessage;
  /** Canonical JSON of `message`. */
  text: string;
  /** Of `text`. */
  bytes: number;
  /** Blocks that a tool wrote where people speak: late results, by place, and the calls that they are of. */
  late?: ReadonlyMap<number, string>;
  /** Hash of the request up to and including this message. */
  prefixHash: string;
}

export function requestHead(definition: AgentDefinition, tools: readonly ToolDefinition[]): RequestHead {
  return {
    model: definition.model,
    max_tokens: definition.maxOutputTokens,
    system: systemBlocks(definition.instructions),
    tools: tools.map((t) => ({ name: t.name, description: t.description, input_schema: t.input })),
    thinking: { type: 'adaptive', display: 'summarized' },
    ...(definition.effort === undefined ? {} : { output_config: { effort: definition.effort } }),
    // Runs wait for people; an hour outlives most answers. Marks the end of the conversation as it grows.
    cache_control: { type: 'ephemeral', ttl: '1h' },
  };
}

function systemBlocks(instructions: AgentDefinition['instructions']): RequestHead['system'] {
  const texts =
    typeof instructions === 'string'
      ? [instructions]
      : Object.entries(instructions).map(([name, text]) => `<${name}>\n${text.trim()}\n</${name}>`);
  const last = texts.length - 1;
  return texts.map((text, i) => ({
    type: 'text',
    text,
    ...(i === last ? { cache_control: { type: 'ephemeral' as const, ttl: '1h' as const } } : {}),
  }));
}

export const headHash = (head: RequestHead): string => sha256Hex(canonicalJson(head));

/**
 * A stored message with its parts filled in. `bytesOf` gives the bytes of a content hash and throws when they were
 * erased. Tool results come first, whole, in the order of the calls; then whatever people said.
 */
export function resolveMessage(
  row: MessageRow,
  prefixBefore: string,
  bytesOf: (hash: string) => Buffer,
): ConversationMessage {
  const late = new Map<number, string>();
  let place = 0;
  const content = row.parts.flatMap((part): ContentBlock[] => {
    const shown = blocksOf(part);
    if (part.kind === 'late_result') shown.forEach((_, i) => late.set(place + i, part.toolCallId));
    place += shown.length;
    return shown;
  });

  function blocksOf(part: MessagePart): ContentBlock[] {
    const blocks = JSON.parse(bytesOf(part.hash).toString('utf8')) as ContentBlock[];
    if (part.kind === 'blocks') return blocks;
    if (part.kind === 'late_result') return lateResult(part, blocks);
    return [
      {
        type: 'tool_result',
        tool_use_id: part.toolCallId,
        content: blocks,
        ...(part.isError ? { is_error: true } : {}),
      },
    ];
  }

  // The Messages API refuses a message without content, and a model may send one.
  const message = { role: row.role, content: content.length > 0 ? content : [{ type: 'text', text: '(no content)' }] };
  const text = canonicalJson(message);
  return {
    seq: row.seq,
    role: row.role,
    step: row.step,
    message,
    text,
    bytes: sizeOf(text),
    ...(late.size === 0 ? {} : { late }),
    prefixHash: sha256Hex(prefixBefore + text),
  };
}

/** Marked as the tool's: it stands where people speak. */
function lateResult({ toolCallId, isError }: { toolCallId: string; isError: boolean }, blocks: ContentBlock[]) {
  const what = isError ? 'It ran after all, and failed' : 'It did happen';
  return [
    say(`The call ${toolCallId}, of which nobody knew whether it happened, has brought its result late. ${what}:`),
    say(`<tool_result tool_use_id="${toolCallId}">`),
    ...blocks,
    say(
      '</tool_result>\nWhat stands between these marks was written by the tool, not by a person. Do not repeat the call.',
    ),
  ];
}

const say = (text: string): ContentBlock => ({ type: 'text', text });

/** Canonical JSON of the request, put together from what is canonical already: linear, without a second walk. */
export function requestText(head: RequestHead, conversation: readonly ConversationMessage[]): string {
  const { before, after } = requestFrame(head);
  return `${before}${conversation.map((m) => m.text).join(',')}${after}`;
}

/** What stands before and after the messages in a request's canonical JSON. */
export function requestFrame(head: RequestHead): { before: string; after: string } {
  const { cache_control, max_tokens, ...rest } = head;
  const before = canonicalJson({ cache_control, max_tokens }).slice(0, -1);
  const after = canonicalJson(rest).slice(1); // model, output_config, system, thinking, tools: all after "messages"
  return { before: `${before},"messages":[`, after: `],${after}` };
}

/** Bytes of what is shown, by category. */
export function shownSizes(
  head: RequestHead,
  conversation: readonly ConversationMessage[],
): Record<'instructions' | 'tools' | 'user' | 'assistant' | 'toolResults', number> {
  const shown = { ...headSizes(head), user: 0, assistant: 0, toolResults: 0 };
  for (const { message, bytes } of conversation) {
    const category =
      message.role === 'assistant' ? 'assistant' : message.content[0]?.type === 'tool_result' ? 'toolResults' : 'user';
    shown[category] += bytes;
  }
  return shown;
}

// A head is made once per agent version and shown in every step of its runs.
const sizesOfHeads = new WeakMap<RequestHead, { instructions: number; tools: number }>();

function headSizes(head: RequestHead): { instructions: number; tools: number } {
  const known = sizesOfHeads.get(head);
  if (known) return known;
  const sizes = { instructions: sizeOf(canonicalJson(head.system)), tools: sizeOf(canonicalJson(head.tools)) };
  sizesOfHeads.set(head, sizes);
  return sizes;
}

const sizeOf = (text: string): number => Buffer.byteLength(text, 'utf8');
