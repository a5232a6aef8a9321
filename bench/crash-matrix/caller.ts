// The REST API as a patient client uses it: what was not answered is repeated, under the same key.
import { sleep } from '../clock.js';
import type { World } from './world.js';

/** A service that was killed is back within this time, or something is wrong. In milliseconds. */
const PATIENCE_MS = 120_000;
const PAUSE_MS = 100;

export interface Answer {
  status: number;
  body: Record<string, unknown>;
}

export class Caller {
  constructor(
    private readonly world: Pick<World, 'apiUrl' | 'adminKey'>,
    private readonly signal: AbortSignal,
  ) {}

  /** Until it is answered. A key makes of all the tries one request. */
  async call(method: string, at: string, body?: unknown, key?: string): Promise<Answer> {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const answer = await this.once(method, at, body, key).catch(() => undefined);
      this.signal.throwIfAborted();
      if (answer && answer.status < 500) return answer;
      if (Date.now() > end) {
        throw new Error(`${method} ${at} was not answered: ${answer?.status} ${JSON.stringify(answer?.body)}`);
      }
      await sleep(PAUSE_MS);
    }
  }

  /** Like `call`; anything but success is an error. */
  async ok(method: string, at: string, body?: unknown, key?: string): Promise<Record<string, unknown>> {
    const answer = await this.call(method, at, body, key);
    if (answer.status < 300) return answer.body;
    throw new Error(`${method} ${at} was refused: ${answer.status} ${JSON.stringify(answer.body)}`);
  }

  async stream(agentRunId: string, after: number): Promise<AsyncIterable<Uint8Array>> {
    const response = await fetch(`${this.world.apiUrl}/v1/runs/${agentRunId}/stream`, {
      headers: { authorization: `Bearer ${this.world.adminKey}`, 'last-event-id': String(after) },
      signal: this.signal,
    });
    if (!response.ok || !response.body) throw new Error(`the stream was answered with ${response.status}`);
    return response.body;
  }

  private async once(method: string, at: string, body: unknown, key: string | undefined): Promise<Answer> {
    const response = await fetch(`${this.world.apiUrl}${at}`, {
      method,
      signal: this.signal,
      headers: {
        authorization: `Bearer ${this.world.adminKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(key === undefined ? {} : { 'idempotency-key': key }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }
}
