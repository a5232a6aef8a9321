// Canonical JSON (RFC 8785) and SHA-256: the one way bytes get their name.
import { type Hash, createHash } from 'node:crypto';
import canonicalize from 'canonicalize';

/** Throws on what JSON cannot say: undefined, NaN, infinities. */
export function canonicalJson(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError('undefined has no JSON form');
  return text;
}

export const sha256Hex = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export const digestOf = (value: unknown): string => sha256Hex(canonicalJson(value));

/** SHA-256 of a text that grows. Extending makes a new one and leaves this as it is. */
export class RunningSha256 {
  private readonly hash: Hash;

  constructor(from: string | Hash) {
    this.hash = typeof from === 'string' ? createHash('sha256').update(from) : from;
  }

  extend(texts: readonly string[]): RunningSha256 {
    const copy = this.hash.copy();
    for (const text of texts) copy.update(text);
    return new RunningSha256(copy);
  }

  hex(): string {
    return this.hash.copy().digest('hex');
  }
}
