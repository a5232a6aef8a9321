// The conversation of a run as rows and as the Messages API wants it. Block fields keep the provider's names.
import { z } from 'zod';

/** Content of a user's message: text, images and documents as the Messages API takes them. */
export const inputBlock = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text'), text: z.string().min(1) }),
  z.strictObject({ type: z.literal('image'), source: z.record(z.string(), z.unknown()) }),
  z.looseObject({ type: z.literal('document'), source: z.record(z.string(), z.unknown()) }),
]);
export const inputContent = z.union([z.string().min(1), z.array(inputBlock).min(1).max(100)]);
export type InputBlock = z.infer<typeof inputBlock>;
export type InputContent = z.infer<typeof inputContent>;

/** A block as stored: whatever the provider sent, verbatim. */
export type ContentBlock = { type: string; [field: string]: unknown };

/**
 * A part of a message: a hash of an array of blocks, or the result of one tool call. `late_result`: what a call really
 * brought of which the model was told that nobody knows; the API takes one `tool_result` a call, so it comes as text.
 */
export type MessagePart =
  | { kind: 'blocks'; hash: string }
  | { kind: 'tool_result' | 'late_result'; toolCallId: string; hash: string; isError: boolean };

/** One message of a run, append-only, by reference. */
export interface MessageRow {
  seq: number;
  role: 'user' | 'assistant';
  /** The step whose request this message first stood in (user) or whose reply it is (assistant). */
  step: number;
  parts: MessagePart[];
}

export interface Usage {
  /** Without cache reads and writes, as the provider counts. */
  inputTokens: number;
  outputTokens: number;
  cacheReadTokens: number;
  cacheWriteTokens: number;
}

export const noUsage: Usage = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0 };

export const addUsage = (a: Usage, b: Usage): Usage => ({
  inputTokens: a.inputTokens + b.inputTokens,
  outputTokens: a.outputTokens + b.outputTokens,
  cacheReadTokens: a.cacheReadTokens + b.cacheReadTokens,
  cacheWriteTokens: a.cacheWriteTokens + b.cacheWriteTokens,
});

export const subtractUsage = (a: Usage, b: Usage): Usage => ({
  inputTokens: a.inputTokens - b.inputTokens,
  outputTokens: a.outputTokens - b.outputTokens,
  cacheReadTokens: a.cacheReadTokens - b.cacheReadTokens,
  cacheWriteTokens: a.cacheWriteTokens - b.cacheWriteTokens,
});

/** All tokens of a call; what `maxTokens` counts. */
export const totalTokens = (u: Usage): number =>
  u.inputTokens + u.outputTokens + u.cacheReadTokens + u.cacheWriteTokens;

/** Every way a reply can end. An unknown one stops the run; it is never success. */
export const modelStopReasons = [
  'end_turn',
  'tool_use',
  'max_tokens',
  'stop_sequence',
  'pause_turn',
  'refusal',
  'model_context_window_exceeded',
  'unknown',
] as const;
export type ModelStopReason = (typeof modelStopReasons)[number];
