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

/** Without control characters and broken surrogates, which neither Temporal nor a text column takes. */
// eslint-disable-next-line no-control-regex -- control characters are what is taken out
export const oneLine = (text: string): string => text.replaceAll(/[\u0000-\u001f\u007f]+/g, ' ').toWellFormed();

function cut(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  let end = Math.min(text.length, maxBytes);
  while (Buffer.byteLength(text.slice(0, end)) > maxBytes - 3) end -= 1;
  return `${text.slice(0, end).toWellFormed()}…`;
}
