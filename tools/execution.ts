// Between a worker and a tool's code: what the tool is given, what it may return or throw, and how long it may take.
import type { ContentBlock } from '../contracts/conversation.js';
import type { ToolDefinition } from '../contracts/tools.js';

export interface ToolLog {
  debug(data: object | string, message?: string): void;
  info(data: object | string, message?: string): void;
  warn(data: object | string, message?: string): void;
  error(data: object | string, message?: string): void;
}

export interface ToolContext {
  /** The same in every attempt of this call: `<run id>:<tool call id>`. */
  idempotencyKey: string;
  runId: string;
  step: number;
  toolCallId: string;
  agent: string;
  /** Aborted when the run is cancelled or the call takes longer than its timeout. */
  signal: AbortSignal;
  heartbeat(): void;
  /** A secret of the worker's environment, by name. Throws when it is not set. */
  secrets(name: string): string;
  log: ToolLog;
  /** This run's own folder. It may not exist yet. */
  workspaceDir: string;
}

export interface ToolResult {
  content: string | ContentBlock[];
  /** The model's mistake, or a failure that it should see. */
  isError?: boolean;
}

/** What became of an idempotency key, asked at the destination. */
export type Reconciled = { happened: true; result: unknown } | { happened: false } | 'unknown';

export interface ToolExecutor {
  definition: ToolDefinition;
  execute(args: unknown, ctx: ToolContext): Promise<ToolResult>;
  reconcile?: (idempotencyKey: string, ctx: ToolContext) => Promise<Reconciled>;
}

/** Thrown by a tool: an error result for the model, with this text. The call is not tried again. */
export class ToolError extends Error {
  override readonly name = 'ToolError';
}

/** Thrown by a tool whose destination did not answer: tried again with the same key, if the effect allows. */
export class ToolUnavailable extends Error {
  override readonly name = 'ToolUnavailable';
  constructor(
    message: string,
    readonly retryAfterMs?: number,
  ) {
    super(message);
  }
}

export type Settled =
  | { kind: 'result'; content: ContentBlock[]; isError: boolean }
  | { kind: 'unavailable'; text: string; retryAfterMs?: number }
  | { kind: 'unknown'; text: string };

/** Largest result that is kept, in bytes. */
export const MAX_RESULT_BYTES = 5 * 1024 * 1024;
/** Longest error text shown to the model, in characters. */
const MAX_ERROR_TEXT = 4000;

/**
 * Runs a tool once and never throws. A tool that does not return within `timeoutMs` is given up; for one that may
 * have acted, that is no answer.
 */
export async function runTool(
  executor: ToolExecutor,
  args: unknown,
  ctx: ToolContext,
  { timeoutMs }: { timeoutMs: number },
): Promise<Settled> {
  const timeout = new AbortController();
  const signal = AbortSignal.any([ctx.signal, timeout.signal]);
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  const givenUp = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      timeout.abort();
      reject(new ToolUnavailable(`${executor.definition.name} did not return within ${timeoutMs / 1000} s.`));
    }, timeoutMs);
    onAbort = () => reject(new ToolUnavailable(`${executor.definition.name} was stopped before it returned.`));
    if (ctx.signal.aborted) onAbort();
    else ctx.signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    const result = await Promise.race([executor.execute(args, { ...ctx, signal }), givenUp]);
    return { kind: 'result', ...normalised(result) };
  } catch (err) {
    return settledThrow(err);
  } finally {
    clearTimeout(timer);
    if (onAbort) ctx.signal.removeEventListener('abort', onAbort);
  }
}

const NETWORK_CODES = /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_)/;

/** What a tool's throw means. Trouble on the way is no answer; anything else is a failure that the model sees. */
export function settledThrow(err: unknown): Settled {
  const text = err instanceof Error ? err.message : String(err);
  if (err instanceof ToolUnavailable) {
    return { kind: 'unavailable', text, ...(err.retryAfterMs === undefined ? {} : { retryAfterMs: err.retryAfterMs }) };
  }
  if (isNetworkTrouble(err)) return { kind: 'unavailable', text };
  return { kind: 'result', content: [textBlock(text.slice(0, MAX_ERROR_TEXT) || 'The tool failed.')], isError: true };
}

function isNetworkTrouble(err: unknown): boolean {
  for (let e = err, depth = 0; e instanceof Error && depth < 5; e = e.cause, depth++) {
    const code = (e as NodeJS.ErrnoException).code;
    if ((typeof code === 'string' && NETWORK_CODES.test(code)) || e.name === 'AbortError') return true;
  }
  return false;
}

function normalised(result: ToolResult): { content: ContentBlock[]; isError: boolean } {
  const content = typeof result.content === 'string' ? [textBlock(result.content)] : result.content;
  const bytes = content.reduce((sum, b) => sum + blockBytes(b), 0);
  if (bytes > MAX_RESULT_BYTES) {
    const text = `The result has ${bytes} bytes; at most ${MAX_RESULT_BYTES} are taken. Ask for less.`;
    return { content: [textBlock(text)], isError: true };
  }
  return { content, isError: result.isError === true };
}

const blockBytes = (block: ContentBlock): number =>
  Buffer.byteLength(typeof block['text'] === 'string' ? block['text'] : JSON.stringify(block));

// The Messages API refuses an empty text block.
const textBlock = (text: string): ContentBlock => ({ type: 'text', text: text === '' ? '(no output)' : text });
