// What the real Messages API refuses, refused here as well: otherwise a script would hide a bug until production.
import { createHash, createHmac } from 'node:crypto';
import { type Block, type Message, type MessagesRequest, blocksOf } from './conversation.js';

export interface Refusal {
  status: number;
  type: string;
  message: string;
}

const KNOWN = new Set(
  'model max_tokens messages system tools tool_choice stream thinking output_config metadata stop_sequences cache_control service_tier betas container context_management mcp_servers compaction'.split(
    ' ',
  ),
);
const REMOVED = ['temperature', 'top_p', 'top_k'];
const NAME = /^[a-zA-Z0-9_-]{1,128}$/;
const MAX_BREAKPOINTS = 4;

export function validateRequest(body: unknown, limits: { window: number; maxOutput: number }): Refusal | undefined {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return invalid('the body must be an object');
  const request = body as MessagesRequest;
  return (
    topLevel(request, limits.maxOutput) ??
    toolsProblem(request) ??
    messagesProblem(request) ??
    pairsProblem(request.messages) ??
    breakpointsProblem(request) ??
    thinkingProblem(request) ??
    windowProblem(request, limits.window)
  );
}

const invalid = (message: string): Refusal => ({ status: 400, type: 'invalid_request_error', message });

function topLevel(request: MessagesRequest, maxOutput: number): Refusal | undefined {
  const removed = REMOVED.find((name) => name in request);
  if (removed) return invalid(`${removed}: this parameter is no longer supported`);
  const stranger = Object.keys(request).find((name) => !KNOWN.has(name));
  if (stranger) return invalid(`${stranger}: Extra inputs are not permitted`);
  if (typeof request.model !== 'string') return invalid('model: Field required');
  if (!Number.isInteger(request.max_tokens) || request.max_tokens < 1) return invalid('max_tokens: Field required');
  if (request.max_tokens > maxOutput)
    return invalid(`max_tokens: ${request.max_tokens} > ${maxOutput}, the maximum of the model`);
  if (!Array.isArray(request.messages) || request.messages.length === 0) {
    return invalid('messages: at least one message is required');
  }
  const emptySystem = blocksOf(request.system).some((b) => b.type === 'text' && b['text'] === '');
  return emptySystem ? invalid('system: text content blocks must be non-empty') : undefined;
}

function toolsProblem({ tools }: MessagesRequest): Refusal | undefined {
  const names = new Set<string>();
  for (const [i, tool] of (tools ?? []).entries()) {
    if (typeof tool.name !== 'string' || !NAME.test(tool.name))
      return invalid(`tools.${i}.name: String should match pattern`);
    if (names.has(tool.name)) return invalid('tools: Tool names must be unique.');
    names.add(tool.name);
    if ((tool.input_schema as { type?: unknown } | undefined)?.type !== 'object') {
      return invalid(`tools.${i}.input_schema.type: Field required: object`);
    }
  }
  return undefined;
}

function messagesProblem({ messages }: MessagesRequest): Refusal | undefined {
  if (messages[0]?.role !== 'user') return invalid('messages: first message must use the "user" role');
  for (const [i, message] of messages.entries()) {
    if (!['user', 'assistant', 'system'].includes(message.role)) return invalid(`messages.${i}.role: unknown role`);
    const blocks = blocksOf(message.content);
    if (blocks.length === 0) return invalid(`messages.${i}: content must be non-empty`);
    for (const [j, b] of blocks.entries()) {
      if (b.type === 'text' && typeof b['text'] !== 'string')
        return invalid(`messages.${i}.content.${j}.text: Field required`);
      if (b.type === 'text' && b['text'] === '') return invalid(`messages.${i}: text content blocks must be non-empty`);
      if (b.type === 'tool_use' && message.role !== 'assistant')
        return invalid(`messages.${i}: tool_use in a user message`);
      if (b.type === 'tool_result' && message.role !== 'user')
        return invalid(`messages.${i}: tool_result in an assistant message`);
      if (b.type === 'tool_use' && (typeof b['name'] !== 'string' || !NAME.test(b['name']))) {
        return invalid(`messages.${i}.content.${j}.name: String should match pattern`);
      }
      if (
        b.type === 'tool_use' &&
        (typeof b['input'] !== 'object' || b['input'] === null || Array.isArray(b['input']))
      ) {
        return invalid(`messages.${i}.content.${j}.input: Input should be a valid dictionary`);
      }
    }
  }
  const last = messages.at(-1) as Message;
  const lastText = blocksOf(last.content).at(-1);
  if (last.role === 'assistant' && lastText?.type === 'text' && /\s$/.test(String(lastText['text']))) {
    return invalid('messages: final assistant content cannot end with trailing whitespace');
  }
  return undefined;
}

/** Every tool_use is answered in the very next message, whole, results first; ids are unique. */
function pairsProblem(messages: readonly Message[]): Refusal | undefined {
  const used = new Set<unknown>();
  for (const [i, message] of messages.entries()) {
    const blocks = blocksOf(message.content);
    const asked = blocks.filter((b) => b.type === 'tool_use').map((b) => b['id']);
    for (const id of asked) {
      if (used.has(id)) return invalid(`messages.${i}: \`tool_use\` ids must be unique`);
      used.add(id);
    }
    const results = blocks.filter((b) => b.type === 'tool_result');
    const before = i === 0 ? [] : blocksOf(messages[i - 1]?.content).filter((b) => b.type === 'tool_use');
    const orphan = results.find((r) => !before.some((b) => b['id'] === r['tool_use_id']));
    if (orphan) {
      return invalid(
        `messages.${i}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${String(orphan['tool_use_id'])}`,
      );
    }
    const answered = results.map((r) => r['tool_use_id']);
    if (new Set(answered).size !== answered.length)
      return invalid(`messages.${i}: each tool_use must have a single result`);
    const open = before.find((b) => !answered.includes(b['id']));
    if (open) {
      return invalid(
        `messages.${i - 1}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${String(open['id'])}`,
      );
    }
    if (results.length > 0 && blocks.slice(0, results.length).some((b) => b.type !== 'tool_result')) {
      return invalid(`messages.${i}: tool_result blocks must come first`);
    }
    if (i === messages.length - 1 && asked.length > 0) return invalid(`messages.${i}: tool_use without a result`);
  }
  return undefined;
}

function breakpointsProblem(request: MessagesRequest): Refusal | undefined {
  const blocks = [
    ...blocksOf(request.system),
    ...(request.tools ?? []),
    ...request.messages.flatMap((m) => blocksOf(m.content)),
  ];
  const marked = blocks.filter((b) => 'cache_control' in b && b['cache_control'] !== null).length;
  const all = marked + ('cache_control' in request ? 1 : 0);
  return all > MAX_BREAKPOINTS
    ? invalid(`A maximum of ${MAX_BREAKPOINTS} blocks with cache_control may be provided. Found ${all}.`)
    : undefined;
}

const SIGNING_KEY = 'scripted model';

/** The signature of a thinking block that follows this prefix. */
export function signThinking(
  request: Pick<MessagesRequest, 'system' | 'tools'>,
  before: readonly unknown[],
  thinking: string,
): string {
  const prefix = createHash('sha256')
    .update(JSON.stringify([request.system, request.tools, before]))
    .digest('hex');
  return createHmac('sha256', SIGNING_KEY).update(`${prefix}\n${thinking}`).digest('base64');
}

/** A thinking block is bound to everything before it: instructions, tools, messages. */
function thinkingProblem(request: MessagesRequest): Refusal | undefined {
  for (const [i, message] of request.messages.entries()) {
    for (const [j, b] of blocksOf(message.content).entries()) {
      if (b.type !== 'thinking') continue;
      if (b['signature'] !== signThinking(request, request.messages.slice(0, i), String(b['thinking']))) {
        return invalid(
          `messages.${i}.content.${j}: Invalid \`signature\` in \`thinking\` block: what stood before it has changed`,
        );
      }
    }
  }
  return undefined;
}

export const estimateTokens = (value: unknown): number => Math.ceil(JSON.stringify(value ?? null).length / 4);

function windowProblem(request: MessagesRequest, window: number): Refusal | undefined {
  const tokens = estimateTokens([request.system, request.tools, request.messages]);
  return tokens > window ? invalid(`prompt is too long: ${tokens} tokens > ${window} maximum`) : undefined;
}

export type { Block };
