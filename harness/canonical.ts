// Canonical JSON (RFC 8785) and SHA-256: the one way bytes get their name.
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';

/** Throws on what JSON cannot say: undefined, NaN, infinities. */
export function canonicalJson(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError('undefined has no JSON form');
  return text;
}

export const sha256Hex = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export const digestOf = (value: unknown): string => sha256Hex(canonicalJson(value));
