// The Messages API through its SDK: one streamed call, no retries of its own, classified failures.
import Anthropic from '@anthropic-ai/sdk';
import type { Stream } from '@anthropic-ai/sdk/core/streaming';
import { Agent } from 'undici';
import { type ModelStopReason, type Usage, modelStopReasons, noUsage } from '../contracts/conversation.js';
import { classifyFailure } from './failures.js';
import type { CallOptions, ModelProvider, ModelReply } from './modelProvider.js';
import { ReplyBuilder } from './replyStream.js';

export interface AnthropicOptions {
  apiKey: string;
  baseUrl?: string;
  /** Longest silence within a stream, in milliseconds. */
  stallMs?: number;
  log?: {
    debug(...args: unknown[]): void;
    info(...args: unknown[]): void;
    warn(...args: unknown[]): void;
    error(...args: unknown[]): void;
  };
}

/** To the response's headers, in milliseconds. */
const HEADERS_TIMEOUT_MS = 120_000;
/** Between two pieces of a stream: longer silence is a dead stream. The SDK has no time-out of its own for it. */
const STALL_TIMEOUT_MS = 100_000;

export function createAnthropicProvider(options: AnthropicOptions): ModelProvider {
  const dispatcher = new Agent({
    bodyTimeout: options.stallMs ?? STALL_TIMEOUT_MS,
    headersTimeout: HEADERS_TIMEOUT_MS,
  });
  const client = new Anthropic({
    apiKey: options.apiKey,
    maxRetries: 0, // Temporal owns every retry
    timeout: HEADERS_TIMEOUT_MS,
    openTelemetry: { propagation: false },
    fetchOptions: { dispatcher } as NonNullable<ConstructorParameters<typeof Anthropic>[0]>['fetchOptions'],
    ...(options.baseUrl === undefined ? {} : { baseURL: options.baseUrl }),
    ...(options.log === undefined ? {} : { logger: options.log, logLevel: 'warn' }),
  });
  return { call: (request, callOptions) => callOnce(client, request, callOptions) };
}

type ReplyStream = Stream<Anthropic.Beta.BetaRawMessageStreamEvent>;

async function callOnce(
  client: Anthropic,
  request: Uint8Array,
  { signal, onStart, onDelta }: CallOptions,
): Promise<ModelReply> {
  signal.throwIfAborted();
  let billed: Usage | undefined;
  try {
    // Not `messages.create`, which would write the whole conversation down again.
    const { data: stream, request_id: requestId } = await client
      .post<ReplyStream>('/v1/messages', {
        query: { beta: 'true' },
        body: request,
        headers: { 'content-type': 'application/json' },
        stream: true,
        signal,
      })
      .withResponse();
    const reply = new ReplyBuilder();
    for await (const event of stream) {
      reply.add(event);
      if (event.type === 'message_start') {
        billed = usageOf(event.message.usage);
        onStart?.(billed);
      }
      // The last event but one: what follows it costs nothing more.
      if (event.type === 'message_delta' && billed) billed = { ...billed, outputTokens: event.usage.output_tokens };
      if (event.type !== 'content_block_delta') continue;
      if (event.delta.type === 'text_delta') onDelta?.('text', event.delta.text);
      if (event.delta.type === 'thinking_delta') onDelta?.('thinking', event.delta.thinking);
    }
    const { content, stopReason, usage } = reply.whole();
    return {
      content,
      stopReason: stopReasonOf(stopReason),
      usage: usageOf(usage),
      providerRequestId: requestId ?? null,
    };
  } catch (err) {
    if (signal.aborted) throw Object.assign(new Aborted(), { usage: billed ?? noUsage });
    throw classifyFailure(err, billed);
  }
}

/** The call was stopped by us; its socket is closed. `usage` is what had been billed. */
export class Aborted extends Error {
  override readonly name = 'Aborted';
  usage: Usage = noUsage;
}

const stopReasonOf = (reason: string | null): ModelStopReason =>
  modelStopReasons.find((known) => known === reason) ?? 'unknown';

interface RawUsage {
  input_tokens: number | null;
  output_tokens: number;
  cache_read_input_tokens?: number | null;
  cache_creation_input_tokens?: number | null;
  iterations?: readonly RawUsage[] | null;
}

// With iterations (server-side loops) the bill is the sum over them.
function usageOf(raw: unknown): Usage {
  const usage = raw as RawUsage;
  const parts = usage.iterations && usage.iterations.length > 0 ? usage.iterations : [usage];
  return parts.reduce<Usage>(
    (sum, part) => ({
      inputTokens: sum.inputTokens + (part.input_tokens ?? 0),
      outputTokens: sum.outputTokens + (part.output_tokens ?? 0),
      cacheReadTokens: sum.cacheReadTokens + (part.cache_read_input_tokens ?? 0),
      cacheWriteTokens: sum.cacheWriteTokens + (part.cache_creation_input_tokens ?? 0),
    }),
    noUsage,
  );
}
