// The scripted model's control interface for tests and benchmarks.
import type { z } from 'zod';
import type { Bill } from './bill.js';
import type { JournalEntry } from './journal.js';
import type { HoldPoint, Script, script } from './script.js';

export type ScriptInput = z.input<typeof script>;
export type { Bill, JournalEntry, Script };

export class ScriptedModelControl {
  constructor(private readonly url: string) {}

  async putScript(given: ScriptInput): Promise<void> {
    await this.call('PUT', `scripts/${encodeURIComponent(given.name)}`, given);
  }

  async scripts(): Promise<string[]> {
    return (await this.call<{ scripts: string[] }>('GET', 'scripts')).scripts;
  }

  /** The next request at this place waits, once. */
  async holdAt(rule: { name: string; script: string; turn: number; at?: HoldPoint }): Promise<void> {
    await this.call('POST', 'holds', rule);
  }

  /** Resolves when a request waits at the hold; throws when none has in time. */
  async waitForHold(name: string, waitMs = 30_000): Promise<void> {
    const at = `holds/${encodeURIComponent(name)}?waitMs=${waitMs}`;
    const { arrived } = await this.call<{ arrived: boolean }>('GET', at);
    if (!arrived) throw new Error(`no request arrived at hold ${name} within ${waitMs} ms`);
  }

  /** Names of the holds at which a request waits now. */
  async waitingAtHolds(): Promise<string[]> {
    return (await this.call<{ waiting: string[] }>('GET', 'holds')).waiting;
  }

  /** How many requests were let go. Rules of this name that nobody has met are forgotten; without a name, all. */
  async release(name?: string): Promise<number> {
    const at = name === undefined ? 'release' : `release/${encodeURIComponent(name)}`;
    return (await this.call<{ released: number }>('POST', at)).released;
  }

  /** Entries after number `after`, oldest first. */
  async journal(scriptName?: string, after = 0): Promise<JournalEntry[]> {
    return (
      await this.call<{ entries: JournalEntry[] }>('GET', `journal?after=${after}${scriptQuery('&', scriptName)}`)
    ).entries;
  }

  async bill(scriptName?: string): Promise<Bill> {
    return this.call('GET', `bill${scriptQuery('?', scriptName)}`);
  }

  /** Lets everybody go and empties journal and bill. Scripts stay. */
  async reset(): Promise<void> {
    await this.release();
    await this.call('DELETE', 'journal');
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

const scriptQuery = (sign: string, name: string | undefined): string =>
  name === undefined ? '' : `${sign}script=${encodeURIComponent(name)}`;
