// The tool as it is in one call: an http_request that only reads is a read, though others of it may write.
import { READING } from '../contracts/httpRequest.js';
import type { ToolDefinition, ToolEffect } from '../contracts/tools.js';

export function toolInCall(tool: ToolDefinition, args: unknown): ToolDefinition {
  if (tool.httpRequest === undefined || tool.effect === 'read') return tool;
  const { method = 'GET' } = (typeof args === 'object' && args !== null ? args : {}) as { method?: unknown };
  return READING.some((reading) => reading === method) ? { ...tool, effect: 'read' } : tool;
}

/** All that calls of it may be. */
export const effectsOf = (tool: ToolDefinition): ToolEffect[] =>
  tool.httpRequest?.allow.some(({ methods }) => methods.some((method) => READING.includes(method))) &&
  tool.effect !== 'read'
    ? ['read', tool.effect]
    : [tool.effect];
