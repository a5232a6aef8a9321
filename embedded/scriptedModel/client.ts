// The scripted model's control interface for tests and benchmarks.
import type { JournalEntry } from './journal.js';
import type { RawUsage } from './render.js';
import type { HoldPoint, Script, script } from './script.js';
import type { z } from 'zod';

export type ScriptInput = z.input<typeof script>;

export class ScriptedModelControl {
  constructor(private readonly url: string) {}

  async putScript(given: ScriptInput): Promise<void> {
    await this.call('PUT', `scripts/${given.name}`, given);
  }

  async holdAt(rule: { name: string; script: string; turn: number; at?: HoldPoint }): Promise<void> {
    await this.call('POST', 'holds', rule);
  }

  /** Resolves when a request has arrived at the hold; throws when none has in time. */
  async waitForHold(name: string, waitMs = 30_000): Promise<void> {
    const { arrived } = await this.call<{ arrived: boolean }>('GET', `holds/${name}?waitMs=${waitMs}`);
    if (!arrived) throw new Error(`no request arrived at hold ${name} within ${waitMs} ms`);
  }

  async release(name?: string): Promise<void> {
    await this.call('POST', name === undefined ? 'release' : `release/${name}`);
  }

  async journal(scriptName?: string): Promise<JournalEntry[]> {
    const query = scriptName === undefined ? '' : `?script=${scriptName}`;
    return (await this.call<{ entries: JournalEntry[] }>('GET', `journal${query}`)).entries;
  }

  async bill(scriptName?: string): Promise<{ calls: number; repeated: string[]; usage: RawUsage }> {
    return this.call('GET', scriptName === undefined ? 'bill' : `bill?script=${scriptName}`);
  }

  private async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(`${this.url}/_control/${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer = (await response.json()) as T & { error?: string };
    if (!response.ok) throw new Error(`${method} ${path}: ${answer.error}`);
    return answer;
  }
}

export type { Script };
