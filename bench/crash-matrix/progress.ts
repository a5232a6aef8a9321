// Where the matrix is and how long it still takes: one line that is written over on a terminal, else one now and then.
import type { Victim } from './world.js';

/** Between two lines where they cannot be written over, in milliseconds. */
const EVERY_MS = 15_000;

export class Progress {
  private readonly since = new Map<Victim, number>();
  private saidAt = Date.now();
  private isOpen = false;

  constructor(
    private readonly victims: readonly Victim[],
    private readonly out: NodeJS.WriteStream,
  ) {}

  killed(victim: Victim, kills: number, most: number): void {
    const since = this.since.get(victim) ?? Date.now();
    this.since.set(victim, since);
    const left =
      kills < 3 ? '' : `, ${durationText(((Date.now() - since) / (kills - 1)) * (most - kills))} left for it`;
    const place = `${this.victims.indexOf(victim) + 1} of ${this.victims.length}`;
    const text = `${victim} (${place}): kill ${kills} of ${most}${left}`;
    if (this.out.isTTY) {
      this.out.write(`\r\u001b[K${text}`);
      this.isOpen = true;
    } else if (Date.now() - this.saidAt > EVERY_MS) {
      this.saidAt = Date.now();
      this.out.write(`${text}\n`);
    }
  }

  say(text: string): void {
    this.out.write(`${this.isOpen ? '\r\u001b[K' : ''}${text}\n`);
    this.isOpen = false;
  }
}

const durationText = (ms: number): string =>
  ms < 90_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`;
