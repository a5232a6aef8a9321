// Requests wait here until somebody lets them go, so that a test can kill a process at a known place.
import type { HoldPoint } from './script.js';

export interface HoldRule {
  name: string;
  script: string;
  turn: number;
  at: HoldPoint;
}

interface Waiter {
  name: string;
  done: () => void;
}

export class Holds {
  private rules: HoldRule[] = [];
  private readonly held = new Set<Waiter>();
  private readonly watchers = new Set<Waiter>();

  add(rule: HoldRule): void {
    this.rules.push(rule);
  }

  list(): { rules: HoldRule[]; waiting: string[] } {
    return { rules: [...this.rules], waiting: [...this.held].map((h) => h.name) };
  }

  /** The hold for this place, if any. A rule serves once. */
  take(script: string, turn: number, at: HoldPoint): string | undefined {
    const index = this.rules.findIndex((r) => r.script === script && r.turn === turn && r.at === at);
    return index < 0 ? undefined : this.rules.splice(index, 1)[0]?.name;
  }

  /** Resolves when released, or when the client is gone. */
  async wait(name: string, gone: AbortSignal): Promise<void> {
    const waiting = waitIn(this.held, name, gone);
    for (const watcher of [...this.watchers].filter((w) => w.name === name)) watcher.done();
    await waiting;
  }

  /** Whether a request is waiting at the hold, now or within the time. */
  async arrival(name: string, timeoutMs: number, gone: AbortSignal): Promise<boolean> {
    const isHeld = (): boolean => [...this.held].some((h) => h.name === name);
    if (isHeld()) return true;
    await waitIn(this.watchers, name, AbortSignal.any([gone, AbortSignal.timeout(timeoutMs)]));
    return isHeld();
  }

  /** Lets go who waits and forgets the rules that nobody has met; without a name, all of them. */
  release(name?: string): number {
    const released = [...this.held].filter((h) => name === undefined || h.name === name);
    for (const held of released) held.done();
    this.rules = this.rules.filter((r) => name !== undefined && r.name !== name);
    return released.length;
  }
}

function waitIn(waiters: Set<Waiter>, name: string, until: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const waiter: Waiter = {
      name,
      done() {
        waiters.delete(waiter);
        until.removeEventListener('abort', waiter.done);
        resolve();
      },
    };
    if (until.aborted) return resolve();
    waiters.add(waiter);
    until.addEventListener('abort', waiter.done, { once: true });
  });
}
