// The provider's prompt cache, without its expiry: which prefixes were marked and sent before, and so are read cheaply.
import { type PrefixStep, totalTokens } from './prefix.js';

export interface InputUsage {
  input_tokens: number;
  cache_read_input_tokens: number;
  cache_creation_input_tokens: number;
}

/** How many blocks before a mark are looked up. */
const LOOK_BACK = 20;
/** Prefixes kept; the oldest go first. */
const MAX_PREFIXES = 50_000;

export class PromptCache {
  private readonly prefixes = new Set<string>();

  /** `scope` is the key and the model: they share no cache. `automatic`: the request marks its own end. */
  account(scope: string, steps: readonly PrefixStep[], automatic: boolean): InputUsage {
    const marks = marksOf(steps, automatic);
    const total = totalTokens(steps);
    const last = marks.at(-1);
    if (last === undefined) return { input_tokens: total, cache_read_input_tokens: 0, cache_creation_input_tokens: 0 };
    const known = marks
      .flatMap((mark) => Array.from({ length: LOOK_BACK }, (_, i) => mark - i))
      .filter((i) => i >= 0 && this.prefixes.has(`${scope} ${steps[i]?.hash}`));
    const read = known.length === 0 ? 0 : (steps[Math.max(...known)]?.tokens ?? 0);
    const marked = steps[last]?.tokens ?? 0;
    return {
      input_tokens: total - marked,
      cache_read_input_tokens: read,
      cache_creation_input_tokens: Math.max(0, marked - read),
    };
  }

  remember(scope: string, steps: readonly PrefixStep[], automatic: boolean): void {
    for (const mark of marksOf(steps, automatic)) this.prefixes.add(`${scope} ${steps[mark]?.hash}`);
    for (const oldest of this.prefixes) {
      if (this.prefixes.size <= MAX_PREFIXES) break;
      this.prefixes.delete(oldest);
    }
  }
}

function marksOf(steps: readonly PrefixStep[], automatic: boolean): number[] {
  const marks = steps.flatMap((step, i) => (step.marked ? [i] : []));
  if (automatic && steps.length > 0 && marks.at(-1) !== steps.length - 1) marks.push(steps.length - 1);
  return marks;
}
