// Answers to updates by their ids, so that one that is repeated is answered as before and changes nothing. Temporal
// itself does so within one Temporal run and forgets the ids when it goes on as a new one.
import { currentUpdateInfo } from '@temporalio/workflow';

/** The latest are kept: some tens of kilobytes where clients choose long ids. */
const MAX_KEPT = 200;

export class UpdateAnswers {
  private readonly answers: Map<string, unknown>;

  constructor(kept: [updateId: string, answer: unknown][] = []) {
    this.answers = new Map(kept);
  }

  /** Of the update that is being handled or validated. */
  current(): { answer: unknown } | undefined {
    const id = currentUpdateInfo()?.id;
    return id !== undefined && this.answers.has(id) ? { answer: this.answers.get(id) } : undefined;
  }

  keep(updateId: string | undefined, answer: unknown): void {
    if (updateId === undefined) return;
    this.answers.set(updateId, answer);
    for (const oldest of this.answers.keys()) {
      if (this.answers.size <= MAX_KEPT) return;
      this.answers.delete(oldest);
    }
  }

  once(change: () => void): void {
    if (this.current()) return;
    change();
    this.keep(currentUpdateInfo()?.id, null);
  }

  kept(): [updateId: string, answer: unknown][] {
    return [...this.answers];
  }
}
