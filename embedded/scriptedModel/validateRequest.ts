// What the real Messages API refuses, refused here as well: otherwise a script would hide a bug until production.
import type { MessagesRequest } from './conversation.js';
import { type ApiError, invalidRequest } from './http.js';
import { type PrefixStep, prefixOf, signThinking, totalTokens } from './prefix.js';
import { breakpointsProblem } from './validateCache.js';
import { messagesProblem } from './validateMessages.js';
import { pairsProblem } from './validatePairs.js';
import { toolsProblem } from './validateTools.js';

export type Refusal = ApiError;

const KNOWN = new Set(
  'model max_tokens messages system tools tool_choice stream thinking output_config output_format metadata stop_sequences cache_control service_tier container context_management mcp_servers compaction inference_geo speed diagnostics fallbacks billing_policy user_profile_id'.split(
    ' ',
  ),
);
const REMOVED = ['temperature', 'top_p', 'top_k'];

export interface Limits {
  window: number;
  maxOutput: number;
}

/** undefined when the API would take it. Whatever JSON is given, this does not throw. */
export function validateRequest(body: unknown, limits: Limits): Refusal | undefined {
  const checked = checkRequest(body, limits);
  return 'refusal' in checked ? checked.refusal : undefined;
}

export type Checked = { refusal: Refusal } | { request: MessagesRequest; steps: PrefixStep[] };

export function checkRequest(body: unknown, limits: Limits): Checked {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return { refusal: invalidRequest('Input should be a valid dictionary') };
  }
  const request = body as MessagesRequest;
  const problem =
    topLevelProblem(request, limits.maxOutput) ??
    toolsProblem(request) ??
    messagesProblem(request) ??
    pairsProblem(request.messages) ??
    breakpointsProblem(request) ??
    textProblem(body);
  if (problem !== undefined) return { refusal: invalidRequest(problem) };
  const steps = prefixOf(request);
  const late = thinkingProblem(steps) ?? windowProblem(steps, limits.window);
  return late === undefined ? { request, steps } : { refusal: invalidRequest(late) };
}

function topLevelProblem(request: MessagesRequest, maxOutput: number): string | undefined {
  const removed = REMOVED.find((name) => name in request);
  if (removed !== undefined) return `${removed}: this parameter is no longer supported`;
  const stranger = Object.keys(request).find((name) => !KNOWN.has(name));
  if (stranger !== undefined) return `${stranger}: Extra inputs are not permitted`;
  if (typeof request.model !== 'string' || request.model === '') return 'model: Field required';
  if (request.max_tokens === undefined) return 'max_tokens: Field required';
  if (!Number.isInteger(request.max_tokens)) return 'max_tokens: Input should be a valid integer';
  if (request.max_tokens < 1) return 'max_tokens: Input should be greater than or equal to 1';
  if (request.max_tokens > maxOutput) {
    return `max_tokens: ${request.max_tokens} > ${maxOutput}, which is the maximum allowed number of output tokens for ${request.model}`;
  }
  if (request.messages === undefined) return 'messages: Field required';
  if (!Array.isArray(request.messages)) return 'messages: Input should be a valid list';
  if (request.messages.length === 0) return 'messages: at least one message is required';
  if (request.stream !== undefined && typeof request.stream !== 'boolean') {
    return 'stream: Input should be a valid boolean';
  }
  const thinking = request['thinking'] as { type?: unknown } | null | undefined;
  if (thinking != null && !['adaptive', 'disabled', 'enabled', 'between_tools'].includes(String(thinking.type))) {
    return 'thinking.type: Input should be adaptive or disabled';
  }
  return undefined;
}

/** A half of a surrogate pair cannot be sent as UTF-8; it comes of text that was cut by length. */
function textProblem(body: object): string | undefined {
  // JSON.stringify writes a half as an escape, so most requests need no second look.
  if (!/\\ud[89a-f][0-9a-f]{2}/.test(JSON.stringify(body)) || isWellFormed(body)) return undefined;
  return 'The request body is not valid JSON: no low surrogate in string';
}

function isWellFormed(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value !== 'object' || value === null) return true;
  return (Array.isArray(value) ? (value as unknown[]) : Object.entries(value).flat()).every(isWellFormed);
}

/** A thinking block is bound to everything before it: instructions, tools, messages. */
function thinkingProblem(steps: readonly PrefixStep[]): string | undefined {
  const changed = steps.find(
    ({ block, message, before }) =>
      message >= 0 && block.type === 'thinking' && block['signature'] !== signThinking(before, block['thinking']),
  );
  if (!changed) return undefined;
  const first = steps.findIndex((s) => s.message === changed.message);
  const place = `messages.${changed.message}.content.${steps.indexOf(changed) - first}`;
  return `${place}: Invalid \`signature\` in \`thinking\` block: it was edited, or what stood before it has changed`;
}

function windowProblem(steps: readonly PrefixStep[], window: number): string | undefined {
  const tokens = totalTokens(steps);
  return tokens > window ? `prompt is too long: ${tokens} tokens > ${window} maximum` : undefined;
}
