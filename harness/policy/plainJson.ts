// What can be hashed, stored and sent to a model unchanged: JSON of bounded depth, finite numbers, whole characters.

export interface NotPlain {
  path: PropertyKey[];
  message: string;
}

/** Levels of nesting; far above what tools and schemas use, far below what overflows a stack. */
export const MAX_NESTING = 64;

/** The first place that is not plain JSON, or undefined. A cycle shows as nesting without end. */
export function notPlain(value: unknown): NotPlain | undefined {
  return inspect(value, []);
}

function inspect(value: unknown, path: readonly PropertyKey[]): NotPlain | undefined {
  const at = (message: string): NotPlain => ({ path: [...path], message });
  switch (typeof value) {
    case 'boolean':
      return undefined;
    case 'string':
      return value.isWellFormed() ? undefined : at('holds half of a character (a lone surrogate); remove it');
    case 'number':
      return Number.isFinite(value) ? undefined : at(`${value} is not a number that JSON has; give a finite one`);
    case 'object':
      break;
    default:
      return at(`a ${typeof value} has no JSON form`);
  }
  if (value === null) return undefined;
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
