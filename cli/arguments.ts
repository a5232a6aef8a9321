// Words of the command line as values: numbers, pairs, limits, files.
import { readFileSync } from 'node:fs';
import { type LimitsBody, limitsBody } from '../contracts/agentRun.js';
import { UsageError } from './errors.js';
import type { Io } from './io.js';

/** For commander: what it throws ends in a usage message. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`${text} is no whole number`);
  return Number(text);
}

/** `k=v` words as an object. */
export function pairs(words: readonly string[], option: string): Record<string, string> {
  return Object.fromEntries(
    words.map((word) => {
      const at = word.indexOf('=');
      if (at < 1) throw new UsageError(`${option} ${word}: give NAME=VALUE`);
      return [word.slice(0, at), word.slice(at + 1)];
    }),
  );
}

const TEXT_LIMITS = new Set(['maxCostUsd', 'deadline']);

export function limitsOf(words: readonly string[]): LimitsBody | undefined {
  if (words.length === 0) return undefined;
  const given = Object.entries(pairs(words, '--limit')).map(([name, value]) => [
    name,
    TEXT_LIMITS.has(name) || !/^\d+$/.test(value) ? value : Number(value),
  ]);
  const parsed = limitsBody.safeParse(Object.fromEntries(given));
  if (parsed.success) return parsed.data;
  const known = Object.keys(limitsBody.shape).join(', ');
  const [issue] = parsed.error.issues;
  throw new UsageError(`--limit: ${issue?.path.join('.') || known}: ${issue?.message}. The limits are ${known}.`);
}

export async function readInput(io: Io, file: string): Promise<string> {
  if (file === '-') return io.readStdin();
  try {
    return readFileSync(file, 'utf8');
  } catch (err) {
    throw new UsageError(`${file} cannot be read: ${err instanceof Error ? err.message : String(err)}`);
  }
}

export function jsonValue(text: string, option: string): unknown {
  try {
    return JSON.parse(text);
  } catch (err) {
    throw new UsageError(`${option} is not JSON: ${err instanceof Error ? err.message : String(err)}`);
  }
}

export function jsonObject(text: string, option: string): Record<string, unknown> {
  const value = jsonValue(text, option);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UsageError(`${option} must be a JSON object`);
  }
  return { ...value };
}
