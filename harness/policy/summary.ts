// One line about a call for Temporal's UI: the tool and the arguments that steer it; others are not shown.
import type { ToolDefinition } from '../../contracts/tools.js';

/** Temporal refuses summaries above 400 bytes and documents 200. */
const MAX_BYTES = 180;
const MAX_VALUE = 40;

export function summaryOf(name: string, tool: ToolDefinition | undefined, args: unknown): string {
  const shown =
    tool === undefined || typeof args !== 'object' || args === null
      ? []
      : Object.entries(args).map(([key, value]) => `${key}=${tool.controls.includes(key) ? short(value) : '…'}`);
  return cut(oneLine(`${name}(${shown.join(', ')})`), MAX_BYTES);
}

function short(value: unknown): string {
  const text = JSON.stringify(value) ?? '';
  return text.length <= MAX_VALUE ? text : `${text.slice(0, MAX_VALUE)}…`;
}

// Control characters, line and paragraph separators, invisible ones, and those that reverse the order of text: with
// them a value could show a person something else than what runs.
const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+/gu;

/** One line that looks like what it is; also without broken surrogates, which no text column takes. */
export const oneLine = (text: string): string => text.toWellFormed().replaceAll(UNSEEN, ' ');

function cut(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  let end = Math.min(text.length, maxBytes);
  while (Buffer.byteLength(text.slice(0, end)) > maxBytes - 3) end -= 1;
  return `${text.slice(0, end).toWellFormed()}…`;
}
