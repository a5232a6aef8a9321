// What a tool returned, as blocks that a tool_result may hold. Any other block would make every later request invalid.
import { types } from 'node:util';
import { z } from 'zod';
import type { ContentBlock } from '../contracts/conversation.js';

export interface ToolResult {
  content: string | ContentBlock[];
  /** The model's mistake, or a failure that it should see. */
  isError?: boolean;
}

/** Largest result that is kept, in bytes. */
export const MAX_RESULT_BYTES = 5 * 1024 * 1024;

const imageType = z.enum(['image/png', 'image/jpeg', 'image/gif', 'image/webp']);
const url = z.object({ type: z.literal('url'), url: z.url({ protocol: /^https?$/ }) });
const file = z.object({ type: z.literal('file'), file_id: z.string().min(1) });
const bytes = { type: z.literal('base64'), data: z.string().min(1) };

// Fields that are not listed are left out: where a prompt is cached, for one, is not a tool's decision.
const block = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), text: z.string() }),
  z.object({
    type: z.literal('image'),
    source: z.discriminatedUnion('type', [z.object({ ...bytes, media_type: imageType }), url, file]),
  }),
  z.object({
    type: z.literal('document'),
    source: z.discriminatedUnion('type', [
      z.object({ ...bytes, media_type: z.literal('application/pdf') }),
      z.object({ type: z.literal('text'), media_type: z.literal('text/plain'), data: z.string().min(1) }),
      url,
      file,
    ]),
    title: z.string().optional(),
    context: z.string().optional(),
  }),
]);
const blocks = z.array(block).min(1);

/** From whatever a tool's code returned. What looks like a result or like blocks is one; other data is shown as JSON. */
export function resultOf(value: unknown): ToolResult {
  if (value === undefined || value === null) return { content: '' };
  if (typeof value === 'string') return { content: value };
  if (types.isAnyArrayBuffer(value) || ArrayBuffer.isView(value)) {
    return failure(`The tool ran and returned ${value.byteLength} bytes that are not text. They were not taken.`);
  }
  const given = blocks.safeParse(value);
  return given.success ? { content: given.data } : (declaredResult(value) ?? jsonResult(value));
}

function declaredResult(value: unknown): ToolResult | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { content, isError, ...rest } = value as { content?: unknown; isError?: unknown };
  if (Object.keys(rest).length > 0 || !(isError === undefined || typeof isError === 'boolean')) return undefined;
  const more = isError === undefined ? {} : { isError };
  if (typeof content === 'string') return { content, ...more };
  if (Array.isArray(content) && content.length === 0) return { content: '', ...more };
  const given = blocks.safeParse(content);
  return given.success ? { content: given.data, ...more } : undefined;
}

function jsonResult(value: unknown): ToolResult {
  try {
    const text = JSON.stringify(value, null, 1) as string | undefined;
    return text === undefined ? failure(`The tool ran and returned a ${typeof value}.`) : { content: text };
  } catch (err) {
    return failure(`The tool ran, but what it returned has no JSON form: ${(err as Error).message}`);
  }
}

const failure = (content: string): ToolResult => ({ content, isError: true });

/** The blocks that are stored and shown. */
export function keptBlocks(result: ToolResult): { content: ContentBlock[]; isError: boolean } {
  const given = typeof result.content === 'string' ? [{ type: 'text', text: result.content }] : result.content;
  const size = given.reduce((sum, b) => sum + blockBytes(b), 0);
  if (size > MAX_RESULT_BYTES) {
    const text = `The tool ran, but its result has ${size} bytes; at most ${MAX_RESULT_BYTES} are taken. Ask for less.`;
    return { content: [textBlock(text)], isError: true };
  }
  const shown = given.filter((b) => b.type !== 'text' || b['text'] !== '');
  const content = (shown.length === 0 ? given.slice(0, 1) : shown).map((b) =>
    b.type === 'text' ? textBlock(String(b['text'])) : b,
  );
  return { content, isError: result.isError === true };
}

const blockBytes = (b: ContentBlock): number =>
  Buffer.byteLength(b.type === 'text' ? String(b['text']) : JSON.stringify(b));

/** The Messages API refuses text without any visible character; JSON readers stumble over NUL and lone surrogates. */
export function textBlock(text: string): ContentBlock {
  if (text.trim() === '') return { type: 'text', text: text === '' ? '(no output)' : '(only white space)' };
  return { type: 'text', text: text.toWellFormed().replaceAll('\0', '\uFFFD') };
}
