// What a request shows: the texts and results that conditions look at and replies can quote.
import { createHash } from 'node:crypto';
import type { Condition } from './script.js';

export interface Block {
  type: string;
  [field: string]: unknown;
}
export interface Message {
  role: string;
  content: string | Block[];
}
export interface MessagesRequest {
  model: string;
  max_tokens: number;
  messages: Message[];
  system?: string | Block[];
  tools?: { name: string; input_schema?: unknown; [field: string]: unknown }[];
  stream?: boolean;
  [field: string]: unknown;
}

export const blocksOf = (content: string | Block[] | undefined): Block[] =>
  typeof content === 'string' ? [{ type: 'text', text: content }] : (content ?? []);

export const textOf = (content: unknown): string => {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return (content as Block[])
    .map((b) => (typeof b['text'] === 'string' ? b['text'] : b.type === 'tool_result' ? textOf(b['content']) : ''))
    .filter((text) => text !== '')
    .join('\n');
};

export const turnOf = (request: MessagesRequest): number =>
  request.messages.filter((m) => m.role === 'assistant').length;

/** Names a conversation by how it begins. */
export const conversationOf = (request: MessagesRequest): string =>
  createHash('sha256')
    .update(JSON.stringify([request.model, request.system, request.messages[0]]))
    .digest('hex')
    .slice(0, 16);

export const firstUserText = (request: MessagesRequest): string =>
  textOf(request.messages.find((m) => m.role === 'user')?.content);

export const lastUserText = (request: MessagesRequest): string =>
  textOf(request.messages.findLast((m) => m.role === 'user')?.content);

/** The last result of a tool, by name. */
export function lastResultOf(request: MessagesRequest, tool: string): Block | undefined {
  const ids = new Set(
    request.messages.flatMap((m) =>
      blocksOf(m.content).flatMap((b) => (b.type === 'tool_use' && b['name'] === tool ? [b['id']] : [])),
    ),
  );
  return request.messages
    .flatMap((m) => blocksOf(m.content))
    .findLast((b) => b.type === 'tool_result' && ids.has(b['tool_use_id']));
}

/** Why a condition does not hold, or undefined when it does. */
export function unmet(condition: Condition, request: MessagesRequest): string | undefined {
  const texts: [string | undefined, string, string][] = [
    [condition.lastUserContains, lastUserText(request), 'the last user message'],
    [condition.systemContains, textOf(request.system), 'the system prompt'],
    [condition.anyMessageContains, request.messages.map((m) => textOf(m.content)).join('\n'), 'the conversation'],
  ];
  for (const [wanted, text, what] of texts) {
    if (wanted !== undefined && !contains(text, wanted)) return `${what} does not contain ${wanted}`;
  }
  const { toolResult } = condition;
  if (!toolResult) return undefined;
  const result = lastResultOf(request, toolResult.tool);
  if (!result) return `there is no result of ${toolResult.tool}`;
  if (toolResult.contains !== undefined && !contains(textOf(result['content']), toolResult.contains)) {
    return `the last result of ${toolResult.tool} does not contain ${toolResult.contains}`;
  }
  if (toolResult.isError !== undefined && (result['is_error'] === true) !== toolResult.isError) {
    return `the last result of ${toolResult.tool} has is_error ${String(result['is_error'] === true)}`;
  }
  return undefined;
}

function contains(text: string, wanted: string): boolean {
  const pattern = /^\/(.*)\/([a-z]*)$/s.exec(wanted);
  return pattern ? new RegExp(pattern[1] as string, pattern[2]).test(text) : text.includes(wanted);
}

/** Fills `${turn}`, `${input}`, `${lastUserText}` and `${results.<tool>.<path>}` into every string of a value. */
export function filled(value: unknown, request: MessagesRequest): unknown {
  if (typeof value === 'string') {
    const whole = /^\$\{([^}]+)\}$/.exec(value);
    if (whole) return quoted(whole[1] as string, request) ?? value;
    return value.replaceAll(/\$\{([^}]+)\}/g, (all, name: string) => {
      const found = quoted(name, request);
      return found === undefined ? all : typeof found === 'string' ? found : JSON.stringify(found);
    });
  }
  if (Array.isArray(value)) return value.map((item) => filled(item, request));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, filled(item, request)]));
}

function quoted(name: string, request: MessagesRequest): unknown {
  if (name === 'turn') return turnOf(request);
  if (name === 'input') return firstUserText(request);
  if (name === 'lastUserText') return lastUserText(request);
  const [kind, tool, ...path] = name.split('.');
  if (kind !== 'results' || tool === undefined) return undefined;
  const text = textOf(lastResultOf(request, tool)?.['content']);
  if (path.length === 0) return text;
  try {
    return path.reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], JSON.parse(text));
  } catch {
    return undefined;
  }
}
