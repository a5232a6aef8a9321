// The blocks of a request in the order the model reads them, each with a hash of everything up to and including it.
// What a thinking block is bound to and what the prompt cache knows are both such prefixes.
import { createHash, createHmac } from 'node:crypto';
import { canonicalJson } from '../../harness/canonical.js';
import { type Block, type MessagesRequest, blocksOf } from './conversation.js';

export interface PrefixStep {
  block: Block;
  /** Of the message that the block stands in; -1 before the messages. */
  message: number;
  /** Hash of all blocks before this one. */
  before: string;
  hash: string;
  /** Tokens up to and including this block. */
  tokens: number;
  /** Carries a cache_control. */
  marked: boolean;
}

/** What an image or a document counts at most, in characters of its base64. */
const MAX_DATA_CHARS = 6000;

export function prefixOf(request: Pick<MessagesRequest, 'tools' | 'system' | 'messages'>): PrefixStep[] {
  const steps: PrefixStep[] = [];
  let hash = '';
  let chars = 0;
  const add = (place: string, block: Block, message: number): void => {
    const before = hash;
    const json = JSON.stringify(block);
    hash = extended(hash, place, block, json);
    chars += json.includes('"data":"') ? JSON.stringify(block, shortData).length : json.length;
    steps.push({ block, message, before, hash, tokens: Math.ceil(chars / 4), marked: block['cache_control'] != null });
  };
  for (const tool of request.tools ?? []) add('tool', tool as unknown as Block, -1);
  for (const block of blocksOf(request.system)) add('system', block, -1);
  for (const [i, message] of request.messages.entries()) {
    for (const block of blocksOf(message.content)) add(message.role, block, i);
  }
  return steps;
}

const shortData = (key: string, value: unknown): unknown =>
  key === 'data' && typeof value === 'string' ? value.slice(0, MAX_DATA_CHARS) : value;

export const extended = (hash: string, place: string, block: Block, json = JSON.stringify(block)): string =>
  sha256(`${hash}\n${place}\n${digestOf(block, json)}`);

/** By the hash of the block's bytes: a conversation sends its blocks again and again. */
const digests = new Map<string, string>();
const MAX_DIGESTS = 100_000;

/** Marks for the cache are no content: they move from request to request. */
function digestOf(block: Block, json: string): string {
  const key = sha256(json);
  const known = digests.get(key);
  if (known !== undefined) return known;
  const digest = sha256(canonicalJson(JSON.parse(JSON.stringify(block, withoutMarks))));
  if (digests.size >= MAX_DIGESTS) digests.clear();
  digests.set(key, digest);
  return digest;
}

const withoutMarks = (key: string, value: unknown): unknown => (key === 'cache_control' ? undefined : value);

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

export const lastHash = (steps: readonly PrefixStep[]): string => steps.at(-1)?.hash ?? '';
export const totalTokens = (steps: readonly PrefixStep[]): number => steps.at(-1)?.tokens ?? 0;

const SIGNING_KEY = 'scripted model';

/** The signature of a thinking block that follows this prefix. */
export const signThinking = (before: string, thinking: unknown): string =>
  createHmac('sha256', SIGNING_KEY)
    .update(`${before}\n${String(thinking)}`)
    .digest('base64');
