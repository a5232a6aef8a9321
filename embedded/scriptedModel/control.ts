// The scripted model's own interface, for tests and the curious: scripts, journal, bill, holds.
import type { ServerResponse } from 'node:http';
import { z } from 'zod';
import type { Context } from './answer.js';
import { sendJson } from './http.js';
import { holdPoint, parseScript } from './script.js';

/** Longest wait for a request to arrive at a hold, in milliseconds. */
const MAX_WAIT_MS = 60_000;

export interface ControlRequest {
  method: string;
  pathname: string;
  query: URLSearchParams;
  body: string;
  gone: AbortSignal;
}

const holdRule = z.strictObject({
  name: z.string().min(1),
  script: z.string(),
  turn: z.int().min(0),
  at: holdPoint.default('before'),
});

const USAGE =
  'PUT scripts/NAME, GET scripts, GET journal?after=&script=, DELETE journal, GET bill?script=, POST holds, GET holds[/NAME?waitMs=], POST release[/NAME]; all under /_control/';

export async function control(context: Context, request: ControlRequest, response: ServerResponse): Promise<void> {
  try {
    const answer = await act(context, request);
    if (!response.destroyed) sendJson(response, answer === undefined ? 404 : 200, answer ?? { error: USAGE });
  } catch (err) {
    sendJson(response, 400, { error: err instanceof z.ZodError ? z.prettifyError(err) : (err as Error).message });
  }
}

async function act(context: Context, { method, pathname, query, body, gone }: ControlRequest): Promise<unknown> {
  const [, , what, inPath] = pathname.split('/');
  const name = inPath === undefined ? (query.get('name') ?? undefined) : decodeURIComponent(inPath);
  const script = query.get('script') ?? undefined;
  switch (`${method} ${what}`) {
    case 'PUT scripts':
      return putScript(context, name, body);
    case 'GET scripts':
      return { scripts: [...context.scripts.keys()] };
    case 'GET journal': {
      const after = z.coerce.number().parse(query.get('after') ?? 0);
      return { entries: context.journal.read({ after, ...(script === undefined ? {} : { script }) }) };
    }
    case 'DELETE journal':
      context.journal.clear();
      return {};
    case 'GET bill':
      return context.journal.bill(script);
    case 'POST holds':
      context.holds.add(holdRule.parse(JSON.parse(body)));
      return {};
    case 'GET holds': {
      if (name === undefined) return context.holds.list();
      const waitMs = z.coerce
        .number()
        .min(0)
        .parse(query.get('waitMs') ?? 0);
      return { arrived: await context.holds.arrival(name, Math.min(MAX_WAIT_MS, waitMs), gone) };
    }
    case 'POST release': {
      const given = body === '' ? {} : z.strictObject({ name: z.string().optional() }).parse(JSON.parse(body));
      return { released: context.holds.release(name ?? given.name) };
    }
    default:
      return undefined;
  }
}

/** A script that comes again begins anew: its faults happen again. */
function putScript(context: Context, name: string | undefined, body: string): { name: string } {
  const parsed = parseScript(body, name ?? 'script');
  if (name !== undefined && name !== parsed.name) {
    throw new Error(`${name}: name: the script calls itself ${parsed.name}`);
  }
  context.scripts.set(parsed.name, parsed);
  for (const key of context.faults.keys()) if (key.startsWith(`${parsed.name} `)) context.faults.delete(key);
  return { name: parsed.name };
}
