// What must be closed when the benchmark ends, however it ends.

/** Closes what was opened, the last first, also when a start fails half-way. */
export class Closing {
  private readonly steps: (() => Promise<unknown>)[] = [];

  add(step: () => Promise<unknown>): void {
    this.steps.unshift(step);
  }

  async close(): Promise<void> {
    for (const step of this.steps.splice(0)) {
      await step().catch((err: unknown) => console.error(err instanceof Error ? err.message : err));
    }
  }
}
