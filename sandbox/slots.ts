// So many at one time, the others in line. Whoever is told to stop while in line leaves it.

export class Slots {
  private free: number;
  private readonly line: (() => void)[] = [];

  constructor(limit: number) {
    this.free = limit;
  }

  /** Rejects with the signal's reason when it aborts before it is this one's turn. */
  async with<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.turn(signal);
    try {
      return await work();
    } finally {
      const next = this.line.shift();
      if (next) next();
      else this.free += 1;
    }
  }

  private async turn(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.free > 0) {
      this.free -= 1;
      return;
    }
    await new Promise<void>((go, stop) => {
      const mine = (): void => {
        signal?.removeEventListener('abort', leave);
        go();
      };
      const leave = (): void => {
        this.line.splice(this.line.indexOf(mine), 1);
        stop(signal?.reason as Error);
      };
      this.line.push(mine);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }
}
