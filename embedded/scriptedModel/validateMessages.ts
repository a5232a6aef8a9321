// What the Messages API refuses about the shape of messages and their blocks.
import { type Block, type Message, type MessagesRequest, blocksOf } from './conversation.js';
import { NAME } from './validateTools.js';

const ID = /^[a-zA-Z0-9_-]+$/;

/** Who may say what; of the blocks of server tools only that they are the assistant's. */
const TYPES: Record<string, RegExp> = {
  user: /^(text|image|document|search_result|tool_result|container_upload|tool_addition|tool_removal|mcp_tool_listing)$/,
  assistant:
    /^(text|thinking|redacted_thinking|tool_use|server_tool_use|mcp_tool_use|[a-z_]+_tool_result|compaction|container_upload|fallback)$/,
  system: /^(text|tool_addition|tool_removal)$/,
};

const fields = (list: string): ReadonlySet<string> => new Set(`type ${list}`.split(' '));
const FIELDS: Record<string, ReadonlySet<string>> = {
  text: fields('text cache_control citations'),
  thinking: fields('thinking signature'),
  redacted_thinking: fields('data'),
  tool_use: fields('id name input cache_control caller toolset_name'),
  tool_result: fields('tool_use_id content is_error cache_control toolset_name'),
  image: fields('source cache_control'),
  document: fields('source cache_control citations context title'),
};
const EMPTY = 'text content blocks must be non-empty';
const BLANK = 'text content blocks must contain non-whitespace text';

export function messagesProblem({ system, messages }: MessagesRequest): string | undefined {
  const instructions = systemProblem(system);
  if (instructions !== undefined) return instructions;
  for (const [i, message] of messages.entries()) {
    const problem = messageProblem(message, `messages.${i}`);
    if (problem !== undefined) return problem;
  }
  if (messages[0]?.role !== 'user') return 'messages: first message must use the "user" role';
  return endProblem(messages.at(-1) as Message);
}

function systemProblem(system: unknown): string | undefined {
  if (system === undefined || typeof system === 'string') return undefined;
  if (!Array.isArray(system)) return 'system: Input should be a valid string or list';
  for (const [i, block] of (system as unknown[]).entries()) {
    if (!isRecord(block) || block['type'] !== 'text') return `system.${i}.type: Input should be 'text'`;
    const problem = blockProblem(block as Block, `system.${i}`);
    if (problem !== undefined) return problem;
    if (block['text'] === '') return `system: ${EMPTY}`;
  }
  return undefined;
}

function messageProblem(message: unknown, at: string): string | undefined {
  if (!isRecord(message)) return `${at}: Input should be a valid dictionary`;
  const types = TYPES[String(message['role'])];
  if (types === undefined) return `${at}.role: Input should be 'user', 'assistant' or 'system'`;
  const stranger = Object.keys(message).find((key) => key !== 'role' && key !== 'content');
  if (stranger !== undefined) return `${at}.${stranger}: Extra inputs are not permitted`;
  const content = message['content'];
  if (content === undefined) return `${at}.content: Field required`;
  if (typeof content !== 'string' && !Array.isArray(content)) return `${at}.content: Input should be a valid list`;
  if (content.length === 0) return `${at}: all messages must have non-empty content`;
  const blocks = blocksOf(content as string | Block[]);
  for (const [j, block] of blocks.entries()) {
    const place = `${at}.content.${j}`;
    if (!isRecord(block)) return `${place}: Input should be a valid dictionary`;
    const type: unknown = block.type;
    if (typeof type !== 'string' || !types.test(type)) {
      return `${place}: Input tag '${String(type)}' found using 'type' does not match any of the expected tags of the role ${String(message['role'])}`;
    }
    const problem = blockProblem(block, place) ?? textProblem(block, message['role'] === 'assistant');
    if (problem !== undefined) return problem;
  }
  return blocks.every((b) => b.type === 'text' && String(b['text']).trim() === '') ? `messages: ${BLANK}` : undefined;
}

/** Models do write blank text beside tool calls; it comes back verbatim and is taken. */
function textProblem(block: Block, isReply: boolean): string | undefined {
  if (block.type !== 'text') return undefined;
  if (block['text'] === '') return `messages: ${EMPTY}`;
  return !isReply && String(block['text']).trim() === '' ? `messages: ${BLANK}` : undefined;
}

function blockProblem(block: Block, at: string): string | undefined {
  const known = FIELDS[block.type];
  const stranger = known && Object.keys(block).find((key) => !known.has(key));
  if (stranger !== undefined) return `${at}.${block.type}.${stranger}: Extra inputs are not permitted`;
  const needs = (field: string): string | undefined =>
    typeof block[field] === 'string' ? undefined : `${at}.${block.type}.${field}: Field required`;
  switch (block.type) {
    case 'text':
      return needs('text') ?? (block['text'] === '' ? markedEmpty(block, at) : undefined);
    case 'thinking':
      return needs('thinking') ?? needs('signature');
    case 'tool_use':
      return (
        nameProblem(block, 'id', ID, at) ??
        nameProblem(block, 'name', NAME, at) ??
        (isRecord(block['input']) ? undefined : `${at}.tool_use.input: Input should be a valid dictionary`)
      );
    case 'tool_result':
      return nameProblem(block, 'tool_use_id', ID, at) ?? resultProblem(block, at);
    case 'image':
    case 'document':
      return isRecord(block['source']) ? undefined : `${at}.${block.type}.source: Field required`;
    default:
      return undefined;
  }
}

const markedEmpty = (block: Block, at: string): string | undefined =>
  block['cache_control'] == null ? undefined : `${at}.text: cache_control cannot be set for empty text blocks`;

function nameProblem(block: Block, field: string, pattern: RegExp, at: string): string | undefined {
  const value = block[field];
  if (typeof value !== 'string') return `${at}.${block.type}.${field}: Field required`;
  return pattern.test(value)
    ? undefined
    : `${at}.${block.type}.${field}: String should match pattern '${pattern.source}'`;
}

function resultProblem({ content, is_error }: Block, at: string): string | undefined {
  if (is_error !== undefined && typeof is_error !== 'boolean') {
    return `${at}.tool_result.is_error: Input should be a valid boolean`;
  }
  if (is_error === true && (content === undefined || (content as string | unknown[]).length === 0)) {
    return `${at}.tool_result: content cannot be empty if \`is_error\` is true`;
  }
  if (content === undefined || typeof content === 'string') return undefined;
  if (!Array.isArray(content)) return `${at}.tool_result.content: Input should be a valid string or list`;
  for (const [k, inner] of (content as unknown[]).entries()) {
    const place = `${at}.tool_result.content.${k}`;
    if (!isRecord(inner) || !/^(text|image|document|search_result|tool_reference)$/.test(String(inner['type']))) {
      return `${place}: Input tag found using 'type' does not match any of the expected tags: 'document', 'image', 'search_result', 'text'`;
    }
    const problem = blockProblem(inner as Block, place);
    if (problem !== undefined) return problem;
    if (inner['type'] === 'text' && inner['text'] === '') return `messages: ${EMPTY}`;
  }
  return undefined;
}

/** A reply that is to be continued must not end in blanks. */
function endProblem(last: Message): string | undefined {
  const end = blocksOf(last.content).at(-1);
  return last.role === 'assistant' && end?.type === 'text' && /\s$/.test(String(end['text']))
    ? 'messages: final assistant content cannot end with trailing whitespace'
    : undefined;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
