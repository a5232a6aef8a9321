// The spans of a conversation, message by message: who said it, or whose result it is.
import type { ContentBlock } from '../../contracts/conversation.js';
import type { ToolDefinition } from '../../contracts/tools.js';
import { isRecord } from '../policy/plainJson.js';
import { strictForm } from './normalise.js';
import { valuesOfResult } from './resultFields.js';
import type { Span } from './span.js';

export interface ProvenanceMessage {
  role: 'user' | 'assistant';
  step: number;
  message: { content: ContentBlock[] };
  /** Blocks that a tool wrote where people speak, and the calls that they are of. */
  late?: ReadonlyMap<number, string>;
}

/** A call that was made; its result may be shown late, after another. */
interface MadeCall {
  tool: ToolDefinition;
  input: unknown;
  resolved: boolean;
}

export class ConversationSpans {
  private readonly calls = new Map<string, MadeCall>();
  private readonly tools: ReadonlyMap<string, ToolDefinition>;

  /** `isAboutClean`: is this call, made now, about what our side named? */
  constructor(
    tools: readonly ToolDefinition[],
    private readonly isAboutClean: (tool: ToolDefinition, input: unknown) => boolean,
  ) {
    this.tools = new Map(tools.map((tool) => [tool.name, tool]));
  }

  /** Messages come in their order, each once. */
  of({ role, step, message, late }: ProvenanceMessage): Span[] {
    return message.content.flatMap((block, i) => {
      const lateCall = late?.get(i);
      if (lateCall !== undefined) return this.resultOf(lateCall, step, [block], false);
      return role === 'user' ? this.said(block, step) : this.proposed(block);
    });
  }

  /** The model's own words are no source: what it only says itself comes from nowhere. */
  private proposed(block: ContentBlock): Span[] {
    if (block.type === 'tool_use' && typeof block['id'] === 'string') {
      const tool = this.tools.get(String(block['name']));
      const resolved = tool?.labels.includes('trusted') === true && this.isAboutClean(tool, block['input']);
      if (tool) this.calls.set(block['id'], { tool, input: block['input'], resolved });
    }
    // Searches and the like that the provider made.
    return block.type.endsWith('_tool_result') ? [outsider(JSON.stringify(block['content'] ?? ''))] : [];
  }

  private said(block: ContentBlock, step: number): Span[] {
    if (block.type === 'tool_result') {
      const contents = [block['content']].flat();
      return this.resultOf(String(block['tool_use_id']), step, contents, block['is_error'] === true);
    }
    if (block.type === 'text')
      return [{ source: { kind: 'user', labels: [] }, text: String(block['text']), whole: false }];
    // Documents and images are passed on; whoever made them may be anybody.
    return [outsider(documentText(block))];
  }

  private resultOf(id: string, step: number, contents: readonly unknown[], isError: boolean): Span[] {
    const call = this.calls.get(id);
    const texts = contents.flatMap(textOf);
    if (!call) return texts.map(outsider);
    const { tool, input, resolved } = call;
    // An error repeats what the model sent; what it says beside that is worth no trust.
    if (isError && tool.labels.includes('trusted')) return [];
    const at = { step: step - 1, toolCallId: id };
    if (tool.waits === 'person') {
      return texts.map((text) => ({ source: { kind: 'person', labels: [], ...at }, text, whole: false }));
    }
    const sent = sentValues(input);
    return texts
      .flatMap((text) => valuesOfResult(tool, text))
      .filter(({ labels, text }) => !labels.includes('trusted') || !isEcho(text, sent))
      .map(({ field, labels, text, whole }) => {
        const place = { tool: tool.name, ...(field === '' ? {} : { field }), ...at };
        return { source: { kind: 'tool', labels: [...labels], ...place }, text, whole, resolved };
      });
  }
}

const outsider = (text: string): Span => ({ source: { kind: 'user', labels: ['untrusted'] }, text, whole: false });

/** What the model sent and got back has not become true by that. */
function isEcho(text: string, sent: readonly string[]): boolean {
  const value = strictForm(text.trim());
  return sent.some((s) => s === value || (value.length >= MIN_PART && s.includes(value)));
}

/** Letters of a part of an argument; shorter ones stand in it by chance. */
const MIN_PART = 6;
/** Letters of an argument; in a longer one any value may stand by chance. */
const MAX_ECHO = 256;

/** The short arguments of a call. */
function sentValues(input: unknown): string[] {
  if (typeof input === 'string') return input.length <= MAX_ECHO ? [strictForm(input)] : [];
  if (typeof input === 'number') return [String(input)];
  if (Array.isArray(input)) return input.flatMap(sentValues);
  return isRecord(input) ? Object.values(input).flatMap(sentValues) : [];
}

function textOf(content: unknown): string[] {
  if (typeof content === 'string') return [content];
  if (!isRecord(content)) return [];
  if (content['type'] === 'text') return [String(content['text'])];
  return [documentText(content)];
}

function documentText(block: Record<string, unknown>): string {
  const source = isRecord(block['source']) ? block['source'] : {};
  const text = source['type'] === 'text' ? String(source['data']) : '';
  return [block['title'], block['context'], text].filter((part) => typeof part === 'string').join('\n');
}
