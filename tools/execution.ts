// Between a worker and a tool's code: what the tool is given, what it may return or throw, and how long it may take.
import type { ContentBlock } from '../contracts/conversation.js';
import type { ToolDefinition } from '../contracts/tools.js';
import { type ToolResult, keptBlocks, resultOf, textBlock } from './result.js';

export type { ToolResult } from './result.js';

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

/** What became of an idempotency key, asked at the destination. */
export type Reconciled = { happened: true; result: unknown } | { happened: false } | 'unknown';

/** A call that is to be taken back. */
export interface CompletedCall {
  arguments: unknown;
  /** JSON where the tool returned some, else its text. */
  result: unknown;
}

export interface ToolExecutor {
  definition: ToolDefinition;
  execute(args: unknown, ctx: ToolContext): Promise<ToolResult>;
  reconcile?: (idempotencyKey: string, ctx: ToolContext) => Promise<Reconciled>;
  /** Takes a call back; may be asked again under the same key. */
  compensate?: (call: CompletedCall, ctx: ToolContext) => Promise<ToolResult | undefined>;
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

/** Longest error text shown to the model, in characters. */
const MAX_ERROR_TEXT = 4000;
/** Node's longest timer, about 24 days; a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Runs a tool once and never throws. A tool that does not return within `timeoutMs` is given up; for one that may
 * have acted, that is no answer. Should it return after all, `onLate` is given the result.
 */
export async function runTool(
  executor: ToolExecutor,
  args: unknown,
  ctx: ToolContext,
  { timeoutMs, onLate }: { timeoutMs: number; onLate?: (result: Settled) => void },
): Promise<Settled> {
  const { name } = executor.definition;
  if (ctx.signal.aborted) return failed(`${name} was stopped before it started. Nothing was executed.`);
  const timeout = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  const givenUp = new Promise<never>((_, reject) => {
    // Rejects before it aborts: the model is told what happened, not how the tool took it.
    const giveUp = (): void => {
      reject(new ToolUnavailable(`${name} did not return within ${timeoutMs / 1000} s.`));
      timeout.abort();
    };
    timer = setTimeout(giveUp, Math.min(timeoutMs, MAX_TIMER_MS));
    onAbort = () => reject(new ToolUnavailable(`${name} was stopped before it returned.`));
    ctx.signal.addEventListener('abort', onAbort, { once: true });
  });
  const signal = AbortSignal.any([ctx.signal, timeout.signal]);
  try {
    const executing = executor.execute(args, { ...ctx, signal });
    executing.then(
      (result) => (signal.aborted ? onLate?.(kept(result)) : undefined),
      () => undefined, // after it was told to stop, a throw says nothing
    );
    return kept(await Promise.race([executing, givenUp]));
  } catch (err) {
    return settledThrow(err);
  } finally {
    clearTimeout(timer);
    if (onAbort) ctx.signal.removeEventListener('abort', onAbort);
  }
}

const kept = (result: ToolResult): Settled => ({ kind: 'result', ...keptBlocks(resultOf(result)) });

/** Of a request that may or may not have arrived. A request that was never sent for its own faults is not among them. */
const NETWORK_CODES = new RegExp(
  '^(ECONN(REFUSED|RESET|ABORTED)|EPIPE|E(SOCKET)?TIMEDOUT|ENOTFOUND|EAI_AGAIN|E(HOST|NET)(UNREACH|DOWN)|HPE_.*' +
    '|UND_ERR_((CONNECT|HEADERS|BODY)_TIMEOUT|SOCKET|ABORTED|CLOSED|DESTROYED|RESPONSE|RES_.*))$',
);

/** What a tool's throw means. Trouble on the way is no answer; anything else is a failure that the model sees. */
export function settledThrow(err: unknown): Settled {
  const text = messageOf(err);
  if (nameOf(err) === 'ToolUnavailable') {
    const { retryAfterMs } = err as ToolUnavailable;
    return {
      kind: 'unavailable',
      text,
      ...(Number.isFinite(retryAfterMs) ? { retryAfterMs: retryAfterMs as number } : {}),
    };
  }
  return isNetworkTrouble(err) ? { kind: 'unavailable', text } : failed(text);
}

const failed = (text: string): Settled => ({ kind: 'result', content: [textBlock(text)], isError: true });

function isNetworkTrouble(err: unknown): boolean {
  for (let e = err, depth = 0; typeof e === 'object' && e !== null && depth < 5; depth++) {
    const { code, cause } = e as { code?: unknown; cause?: unknown };
    if (typeof code === 'string' && NETWORK_CODES.test(code)) return true;
    if (/^(Abort|Timeout|HTTPParser)Error$/.test(nameOf(e))) return true;
    e = cause;
  }
  return false;
}

// By name and not by class: a user's module may bring its own copy of this package.
const nameOf = (err: unknown): string =>
  typeof err === 'object' && err !== null && 'name' in err ? String(err.name) : '';

function messageOf(err: unknown): string {
  const message = typeof err === 'object' && err !== null && 'message' in err ? err.message : err;
  const text = typeof message === 'string' ? message : typeof message === 'number' ? String(message) : '';
  return text.slice(0, MAX_ERROR_TEXT) || 'The tool failed and did not say why.';
}
