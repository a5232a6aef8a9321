// What tokens cost. US dollars per million tokens; vendor's list of 2026-11.
import type { Usage } from '../contracts/conversation.js';

export const PRICES_VERSION = '2026-11';

interface Price {
  input: number;
  output: number;
}

/** By prefix of the model id. The scripted model is billed like Sonnet, so that limits can be tried without a key. */
const PRICES: readonly (readonly [prefix: string, price: Price])[] = [
  ['claude-fable-5', { input: 10, output: 50 }],
  ['claude-opus-5', { input: 4, output: 20 }],
  ['claude-sonnet-5', { input: 2, output: 10 }],
  ['claude-haiku-5', { input: 0.1, output: 0.5 }],
  ['scripted/', { input: 2, output: 10 }],
];
/** A model without a price counts as the dearest one, so that a cost limit still holds. */
const UNKNOWN: Price = { input: 10, output: 50 };

/** Of the input price. Writes that live for an hour, which is what requests ask for. */
const CACHE_WRITE = 2;
const CACHE_READ = 0.1;

/** 10^-9 US dollars, rounded up. */
export function costNanoUsd(model: string, usage: Usage): number {
  const price = PRICES.find(([prefix]) => model.startsWith(prefix))?.[1] ?? UNKNOWN;
  const usdPerMillion =
    usage.inputTokens * price.input +
    usage.outputTokens * price.output +
    usage.cacheWriteTokens * price.input * CACHE_WRITE +
    usage.cacheReadTokens * price.input * CACHE_READ;
  return Math.ceil(usdPerMillion * 1000);
}
