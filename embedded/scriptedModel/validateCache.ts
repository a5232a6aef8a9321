// What the Messages API refuses about marks for the prompt cache.
import { type Block, type MessagesRequest, blocksOf } from './conversation.js';

const MAX_BREAKPOINTS = 4;

export function breakpointsProblem(request: MessagesRequest): string | undefined {
  const holders: { [field: string]: unknown }[] = [
    ...(request.tools ?? []),
    ...blocksOf(request.system),
    ...request.messages.flatMap((m) => blocksOf(m.content).flatMap(withInner)),
    request,
  ];
  const marks = holders.map((h) => h['cache_control'] as { type?: unknown; ttl?: unknown }).filter((c) => c != null);
  const odd = marks.find((c) => c.type !== 'ephemeral' || !['5m', '1h', undefined].includes(c.ttl as string));
  if (odd) return "cache_control: Input should be {type: 'ephemeral'}, with ttl '5m' or '1h'";
  if (marks.length > MAX_BREAKPOINTS) {
    return `A maximum of ${MAX_BREAKPOINTS} blocks with cache_control may be provided. Found ${marks.length}.`;
  }
  const firstShort = marks.findIndex((c) => c.ttl !== '1h');
  return firstShort >= 0 && marks.slice(firstShort).some((c) => c.ttl === '1h')
    ? "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block"
    : undefined;
}

const withInner = (block: Block): Block[] =>
  Array.isArray(block['content']) ? [block, ...(block['content'] as Block[])] : [block];
