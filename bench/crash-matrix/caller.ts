// The REST API as a patient client uses it: it repeats what was not answered.
import { sleep } from '../clock.js';
import type { World } from './world.js';

/** A service that was killed is back within this time, or something is wrong. In milliseconds. */
const PATIENCE_MS = 60_000;

export class Caller {
  constructor(private readonly world: Pick<World, 'apiUrl' | 'adminKey'>) {}

  /** Once; undefined when there was no answer, or one that says to come back. */
  async once(method: string, at: string, body?: unknown, headers = {}): Promise<Answer | undefined> {
    try {
      const response = await fetch(`${this.world.apiUrl}${at}`, {
        method,
        headers: { authorization: `Bearer ${this.world.adminKey}`, 'content-type': 'application/json', ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      if (response.status >= 500) return undefined;
      return { status: response.status, body: JSON.parse(text) as Record<string, unknown> };
    } catch {
      return undefined;
    }
  }

  /** Until it is answered. For what may be repeated. */
  async call(method: string, at: string, body?: unknown, headers = {}): Promise<Answer> {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const answer = await this.once(method, at, body, headers);
      if (answer) return answer;
      if (Date.now() > end) throw new Error(`${method} ${at} was not answered within ${PATIENCE_MS / 1000} s`);
      await sleep(100);
    }
  }
}

export interface Answer {
  status: number;
  body: Record<string, unknown>;
}
