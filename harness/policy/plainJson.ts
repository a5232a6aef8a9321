// What can be hashed, stored and sent to a model unchanged: JSON of bounded depth, finite numbers, whole characters.

export interface NotPlain {
  path: PropertyKey[];
  message: string;
}

/** Levels of nesting; far above what tools and schemas use, far below what overflows a stack. */
export const MAX_NESTING = 64;

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const messageOf = (err: unknown): string => (err instanceof Error ? err.message : String(err));

/** The first place that is not plain JSON, or undefined. A cycle shows as nesting without end. */
export function notPlain(value: unknown): NotPlain | undefined {
  return inspect(value, []);
}

function inspect(value: unknown, path: readonly PropertyKey[]): NotPlain | undefined {
  const at = (message: string): NotPlain => ({ path: [...path], message });
  if (value === null || typeof value === 'boolean') return undefined;
  if (typeof value === 'string') {
    return value.isWellFormed() ? undefined : at('holds half of a character (a lone surrogate); remove it');
  }
  if (typeof value === 'number') {
    return Number.isFinite(value) ? undefined : at(`${value} is not a number that JSON has; give a finite one`);
  }
  if (typeof value !== 'object') return at(`a ${typeof value} has no JSON form`);
  if (path.length >= MAX_NESTING) {
    return { path: path.slice(0, 3), message: `nested too deeply; at most ${MAX_NESTING} levels are taken` };
  }
  if (Array.isArray(value)) return first(value.entries(), path);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    return at('is not a plain value; write a text, number, list or mapping without a tag');
  }
  const broken = Object.keys(value).find((key) => !key.isWellFormed());
  if (broken !== undefined) return at('a field name holds half of a character (a lone surrogate); remove it');
  return first(Object.entries(value), path);
}

function first(entries: Iterable<[PropertyKey, unknown]>, path: readonly PropertyKey[]): NotPlain | undefined {
  for (const [key, inner] of entries) {
    const found = inspect(inner, [...path, key]);
    if (found) return found;
  }
  return undefined;
}
