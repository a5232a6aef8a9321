// What was asked and answered, what it would have cost, and which requests are being held.
import type { RawUsage } from './render.js';
import type { HoldPoint } from './script.js';

export interface JournalEntry {
  n: number;
  at: string;
  script: string;
  turn: number;
  conversation: string;
  /** `answered`: the reply was sent to its end. */
  status: 'open' | 'answered' | 'refused' | 'faulted' | 'aborted';
  detail?: string;
  usage?: RawUsage;
  request: unknown;
}

/** Entries kept; the oldest go first. */
const MAX_ENTRIES = 20_000;

export class Journal {
  private entries: JournalEntry[] = [];
  private next = 1;

  open(entry: Pick<JournalEntry, 'script' | 'turn' | 'conversation' | 'request'>): JournalEntry {
    const opened: JournalEntry = { n: this.next++, at: new Date().toISOString(), status: 'open', ...entry };
    this.entries.push(opened);
    if (this.entries.length > MAX_ENTRIES) this.entries.shift();
    return opened;
  }

  read(filter: { after?: number; script?: string }): JournalEntry[] {
    return this.entries.filter(
      (e) => e.n > (filter.after ?? 0) && (filter.script === undefined || e.script === filter.script),
    );
  }

  clear(): void {
    this.entries = [];
  }

  /** Calls that were answered to the end, by conversation and turn: more than one of a kind was paid twice. */
  bill(script?: string): { calls: number; repeated: string[]; usage: RawUsage } {
    const usage: RawUsage = {
      input_tokens: 0,
      output_tokens: 0,
      cache_read_input_tokens: 0,
      cache_creation_input_tokens: 0,
    };
    const counts = new Map<string, number>();
    for (const entry of this.read(script === undefined ? {} : { script })) {
      if (entry.status !== 'answered' || !entry.usage) continue;
      const key = `${entry.script} ${entry.conversation} turn ${entry.turn}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
      for (const field of Object.keys(usage) as (keyof RawUsage)[]) usage[field] += entry.usage[field];
    }
    const calls = [...counts.values()].reduce((sum, n) => sum + n, 0);
    return { calls, repeated: [...counts].filter(([, n]) => n > 1).map(([key]) => key), usage };
  }
}

interface Rule {
  name: string;
  script: string;
  turn: number;
  at: HoldPoint;
}

/** Requests wait here until somebody lets them go, so that a test can kill a process at a known place. */
export class Holds {
  private rules: Rule[] = [];
  private readonly waiting: { name: string; release: () => void }[] = [];
  private readonly arrivals: { name: string; arrived: () => void }[] = [];

  add(rule: Rule): void {
    this.rules.push(rule);
  }

  /** The hold for this place, if any. A rule serves once. */
  take(script: string, turn: number, at: HoldPoint): string | undefined {
    const index = this.rules.findIndex((r) => r.script === script && r.turn === turn && r.at === at);
    return index < 0 ? undefined : this.rules.splice(index, 1)[0]?.name;
  }

  /** Resolves when released, or when the client is gone. */
  async wait(name: string, gone: AbortSignal): Promise<void> {
    for (const arrival of this.arrivals.filter((a) => a.name === name)) arrival.arrived();
    await new Promise<void>((resolve) => {
      this.waiting.push({ name, release: resolve });
      gone.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  async arrival(name: string, timeoutMs: number): Promise<boolean> {
    if (this.waiting.some((w) => w.name === name)) return true;
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), timeoutMs);
      const arrived = (): void => {
        clearTimeout(timer);
        resolve(true);
      };
      this.arrivals.push({ name, arrived });
    });
  }

  release(name?: string): void {
    for (const held of this.waiting.filter((w) => name === undefined || w.name === name)) held.release();
    if (name === undefined) this.rules = [];
  }
}
