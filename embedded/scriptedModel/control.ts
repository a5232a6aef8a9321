// The scripted model's own interface, for tests and the curious: scripts, journal, bill, holds.
import type { ServerResponse } from 'node:http';
import { type Context, sendJson } from './answer.js';
import { type HoldPoint, holdPoint, parseScript } from './script.js';

/** Longest wait for a request to arrive at a hold, in milliseconds. */
const MAX_WAIT_MS = 60_000;

export async function control(
  context: Context,
  method: string,
  url: URL,
  body: string,
  response: ServerResponse,
): Promise<void> {
  const [, , what, name] = url.pathname.split('/');
  const script = url.searchParams.get('script') ?? undefined;
  switch (`${method} ${what}`) {
    case 'PUT scripts':
      try {
        const parsed = parseScript(body, String(name));
        context.scripts.set(parsed.name, parsed);
        return sendJson(response, 200, { name: parsed.name });
      } catch (err) {
        return sendJson(response, 400, { error: (err as Error).message });
      }
    case 'GET scripts':
      return sendJson(response, 200, { scripts: [...context.scripts.keys()] });
    case 'GET journal': {
      const after = Number(url.searchParams.get('after') ?? 0);
      return sendJson(response, 200, {
        entries: context.journal.read({ after, ...(script === undefined ? {} : { script }) }),
      });
    }
    case 'DELETE journal':
      context.journal.clear();
      return sendJson(response, 200, {});
    case 'GET bill':
      return sendJson(response, 200, context.journal.bill(script));
    case 'POST holds': {
      const rule = JSON.parse(body) as { name: string; script: string; turn: number; at?: HoldPoint };
      context.holds.add({ ...rule, at: holdPoint.parse(rule.at ?? 'before') });
      return sendJson(response, 200, {});
    }
    case 'GET holds': {
      const wait = Math.min(MAX_WAIT_MS, Number(url.searchParams.get('waitMs') ?? 0));
      return sendJson(response, 200, { arrived: await context.holds.arrival(String(name), wait) });
    }
    case 'POST release':
      context.holds.release(name);
      return sendJson(response, 200, {});
    default:
      return sendJson(response, 404, {
        error:
          'PUT /_control/scripts/NAME, GET scripts | journal | bill | holds/NAME, POST holds | release[/NAME], DELETE journal',
      });
  }
}
