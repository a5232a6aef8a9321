// Calls that whoever started the run executes: read, executed elsewhere, and their results given back.
import { z } from 'zod';
import { toolEffect } from './tools.js';

export const clientCall = z.object({
  toolCallId: z.string(),
  runId: z.string(),
  step: z.number().int(),
  tool: z.string(),
  effect: toolEffect,
  /** null after the content of the run was erased. */
  arguments: z.unknown(),
  argumentsDigest: z.string(),
  /** The same however often the call is read: a client that may have died after acting asks its own books for it. */
  idempotencyKey: z.string(),
  requestedAt: z.iso.datetime(),
  /** Without a result until then the model is told that there is none. */
  expiresAt: z.iso.datetime(),
});
export type ClientCall = z.infer<typeof clientCall>;

export const toolResultBody = z.strictObject({
  toolCallId: z.string().min(1).max(128),
  /** Text, content blocks of the Messages API, or any other JSON. */
  content: z.unknown().refine((value) => value !== undefined, { message: 'is missing; give the result, or ""' }),
  /** It failed, and the content says how. */
  isError: z.boolean().default(false),
});
export type ToolResultBody = z.infer<typeof toolResultBody>;

export const toolResultAnswer = z.object({
  toolCallId: z.string(),
  outcome: z.enum(['succeeded', 'failed']),
});
