// What the harness needs of a model: one call, streamed, that ends in a reply or in a classified failure.
import type { ContentBlock, ModelStopReason, Usage } from '../contracts/conversation.js';
import type { ModelFailureType } from '../contracts/failures.js';

export interface ModelReply {
  content: ContentBlock[];
  stopReason: ModelStopReason;
  usage: Usage;
  providerRequestId: string | null;
}

export interface CallOptions {
  signal: AbortSignal;
  /** The reply begins: its input is billed from here on, whatever becomes of it. */
  onStart?: (usage: Usage) => void;
  onDelta?: (kind: 'text' | 'thinking', text: string) => void;
}

export interface ModelProvider {
  /**
   * `request` is JSON that asks for a stream, ready to be posted. Throws ModelFailure, or whatever `signal` was aborted
   * with.
   */
  call(request: Uint8Array, options: CallOptions): Promise<ModelReply>;
}

/** What went wrong with a provider, in our words, and whether another attempt may help. */
export class ModelFailure extends Error {
  override readonly name = 'ModelFailure';

  constructor(
    readonly type: ModelFailureType,
    message: string,
    readonly options: {
      retry: 'soon' | 'wait' | 'never';
      /** The provider's own delay, in milliseconds. */
      retryAfterMs?: number;
      /** Billed although no reply came of it. */
      usage?: Usage;
      cause?: unknown;
    },
  ) {
    super(message, { cause: options.cause });
  }
}
