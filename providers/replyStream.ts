// Puts a reply together from its stream. The SDK's own way completes arguments that were cut off and fails the whole
// reply over one call that is no JSON; here such a call keeps its text for arguments, which no tool takes.
import { AnthropicError } from '@anthropic-ai/sdk';
import type { BetaRawMessageStreamEvent } from '@anthropic-ai/sdk/resources/beta/messages';
import type { ContentBlock } from '../contracts/conversation.js';

export interface StreamedReply {
  content: ContentBlock[];
  stopReason: string | null;
  /** As the provider counts, cumulative. */
  usage: Record<string, unknown>;
}

export class ReplyBuilder {
  private reply: StreamedReply | undefined;
  private readonly argumentTexts = new Map<number, string>();
  private ended = false;

  add(event: BetaRawMessageStreamEvent): void {
    if (event.type === 'message_start') {
      const { content, stop_reason: stopReason, usage } = event.message;
      this.reply = { content: [...(content as unknown as ContentBlock[])], stopReason, usage: { ...usage } };
      return;
    }
    const reply = this.begun();
    switch (event.type) {
      case 'content_block_start':
        reply.content[event.index] = { ...event.content_block };
        break;
      case 'content_block_delta':
        this.extend(reply.content[event.index], event);
        break;
      case 'content_block_stop':
        this.finishArguments(reply.content[event.index], event.index);
        break;
      case 'message_delta':
        reply.stopReason = event.delta.stop_reason;
        // Counters that do not apply are null; they say nothing new.
        Object.assign(reply.usage, Object.fromEntries(Object.entries(event.usage).filter(([, n]) => n !== null)));
        break;
      case 'message_stop':
        this.ended = true;
        break;
      default:
        break; // events to come carry nothing that a stored reply needs
    }
  }

  /** Throws when the stream ended before the message did. */
  whole(): StreamedReply {
    if (!this.ended) throw new AnthropicError('the stream ended before the message did');
    return this.begun();
  }

  private begun(): StreamedReply {
    if (!this.reply) throw new AnthropicError('the stream began without its message');
    return this.reply;
  }

  private extend(
    block: ContentBlock | undefined,
    { index, delta }: Extract<BetaRawMessageStreamEvent, { type: 'content_block_delta' }>,
  ): void {
    if (!block) throw new AnthropicError(`the stream goes on with block ${index}, which has not begun`);
    switch (delta.type) {
      case 'text_delta':
        block['text'] = textOf(block['text']) + delta.text;
        break;
      case 'thinking_delta':
        block['thinking'] = textOf(block['thinking']) + delta.thinking;
        break;
      case 'signature_delta':
        block['signature'] = delta.signature;
        break;
      case 'citations_delta':
        block['citations'] = [...((block['citations'] as unknown[] | null | undefined) ?? []), delta.citation];
        break;
      case 'input_json_delta':
        this.argumentTexts.set(index, (this.argumentTexts.get(index) ?? '') + delta.partial_json);
        break;
      case 'compaction_delta': {
        const { type: _, ...fields } = delta; // whole, not a piece
        Object.assign(block, fields);
        break;
      }
      default:
        delta satisfies never; // a new kind of piece is a compile error here first
    }
  }

  private finishArguments(block: ContentBlock | undefined, index: number): void {
    const text = this.argumentTexts.get(index) ?? '';
    if (block && text.trim() !== '') block['input'] = parsed(text);
  }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
