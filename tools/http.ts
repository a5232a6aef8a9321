// HTTP tools: the arguments are posted with an idempotency key and a signature; the status says what became of it.
import type { ToolDefinition } from '../contracts/tools.js';
import type { CompletedCall, Reconciled, ToolContext, ToolExecutor } from './execution.js';
import { sendToolRequest } from './httpRequest.js';
import { MAX_RESULT_BYTES, type ToolResult } from './result.js';

type Http = NonNullable<ToolDefinition['http']>;

export function httpExecutor(definition: ToolDefinition): ToolExecutor {
  const { http } = definition;
  if (!http) throw new Error(`tool ${definition.name} has no http binding`);
  return {
    definition,
    ...(definition.effect === 'reconcilable' ? { reconcile: (key, ctx) => reconcile(http, key, ctx) } : {}),
    ...(http.undoUrl === undefined
      ? {}
      : { compensate: (call, ctx) => compensate(http, http.undoUrl as string, call, ctx) }),
    async execute(args, ctx) {
      const body = JSON.stringify({ arguments: args, ...originOf(ctx) });
      return resultOf(
        await sendToolRequest({ url: http.url, method: 'POST', body, secret: http.secret, headers: http.headers }, ctx),
      );
    },
  };
}

const originOf = (ctx: ToolContext) => ({
  runId: ctx.runId,
  step: ctx.step,
  toolCallId: ctx.toolCallId,
  agent: ctx.agent,
});

function resultOf({ status, text }: { status: number; text: string | undefined }): ToolResult {
  if (text === undefined) {
    const content = `The service answered ${status} with more than ${MAX_RESULT_BYTES} bytes, which were not taken.`;
    return { content, isError: true };
  }
  if (status >= 200 && status < 300) return { content: text };
  return { content: `HTTP ${status}${text === '' ? '' : `: ${text}`}`, isError: true };
}

/** 2xx: it is taken back. Any other answer says why not. */
async function compensate(http: Http, url: string, call: CompletedCall, ctx: ToolContext): Promise<ToolResult> {
  const body = JSON.stringify({ ...call, ...originOf(ctx) });
  const { secret, headers } = http;
  return resultOf(await sendToolRequest({ url, method: 'POST', body, secret, headers }, ctx));
}

/**
 * 200: it happened, and the body is the result. 404: it did not. Any other answer leaves it open. A GET carries the
 * key as `?key=` and signs it as its body.
 */
async function reconcile(http: Http, key: string, ctx: ToolContext): Promise<Reconciled> {
  // Agents stored before the address was asked for have none.
  if (http.reconcileUrl === undefined) return 'unknown';
  const method = http.reconcileMethod ?? 'GET';
  const url = new URL(http.reconcileUrl);
  if (method === 'GET') url.searchParams.set('key', key);
  const body = method === 'GET' ? key : JSON.stringify({ key, ...originOf(ctx) });
  const answer = await sendToolRequest(
    { url: url.href, method, body, secret: http.secret, headers: http.headers },
    ctx,
  );
  if (answer.status === 404) return { happened: false };
  return answer.status === 200 ? { happened: true, result: resultOf(answer) } : 'unknown';
}
