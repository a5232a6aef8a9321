// Which run made which call when. A call is a request that reached the model stub, or, of a contender whose activities
// are empty, the activity in its place. All times are of one clock, so contenders are measured alike.
import { sleep } from './clock.js';

export interface Call {
  run: string;
  /** 0 is the run's first call. */
  turn: number;
  at: number;
}

/** Without a new call of a run for this long, it is given up. In milliseconds. */
const SILENCE_MS = 120_000;

export class CallLog {
  private readonly calls = new Map<string, Call[]>();
  private readonly waiting: { run: string; turn: number; count: number; arrived: (call: Call) => void }[] = [];
  private lastAt = Date.now();

  add(call: Call): void {
    const calls = this.calls.get(call.run) ?? [];
    calls.push(call);
    this.calls.set(call.run, calls);
    this.lastAt = Date.now();
    for (const waiter of this.waiting.filter((w) => w.run === call.run && w.turn === call.turn)) {
      if (waiter.count > this.countOf(call.run, call.turn)) continue;
      this.waiting.splice(this.waiting.indexOf(waiter), 1);
      waiter.arrived(call);
    }
  }

  /** The call of this turn; of its attempts, the one with this number. */
  async reached(run: string, turn: number, attempt = 1): Promise<Call> {
    const there = this.attempts(run, turn)[attempt - 1];
    if (there) return there;
    const state = { done: false };
    const call = new Promise<Call>((arrived) => this.waiting.push({ run, turn, count: attempt, arrived }));
    const silence = this.silence(state).then(() => {
      const made = this.of(run).length;
      throw new Error(
        `run ${run} made ${made} calls and then none for ${SILENCE_MS / 1000} s; waited for turn ${turn}`,
      );
    });
    return Promise.race([call, silence]).finally(() => (state.done = true));
  }

  of(run: string): Call[] {
    return this.calls.get(run) ?? [];
  }

  attempts(run: string, turn: number): Call[] {
    return this.of(run).filter((call) => call.turn === turn);
  }

  /** Milliseconds a step, between the first call and the last. */
  stepMs(run: string, steps: number): number {
    const [first] = this.attempts(run, 0);
    const [last] = this.attempts(run, steps);
    if (!first || !last) throw new Error(`run ${run} has not come to its end`);
    return (last.at - first.at) / steps;
  }

  private countOf(run: string, turn: number): number {
    return this.attempts(run, turn).length;
  }

  private async silence(state: { done: boolean }): Promise<void> {
    const from = Date.now();
    while (!state.done && Date.now() - Math.max(from, this.lastAt) < SILENCE_MS) await sleep(250);
    if (state.done) await new Promise(() => undefined); // whoever waited has gone
  }
}
