// What a process does with the secrets that it knows: finds them in texts and in JSON, and puts their names in their place.
import { type NamedValue, Matcher, type Sighting } from './matcher.js';
import { weaknessOf } from './secretRule.js';

/** A canary is planted where nobody should take it from: whoever sends it has read there. */
export type SecretKind = 'secret' | 'canary';

export interface Redacted<T> {
  value: T;
  /** Of the secrets that were in it, each once. */
  names: string[];
}

export const redactedAs = (name: string): string => `[redacted:${name}]`;

export class Redactor {
  private readonly known = new Map<string, NamedValue & { kind: SecretKind }>();
  private matcher: Matcher | undefined;

  /** Looked for from now on. Returns why not, where the value cannot be told from ordinary text. */
  know(name: string, value: string, kind: SecretKind = 'secret'): string | undefined {
    const weakness = weaknessOf(value);
    if (weakness !== undefined) return weakness;
    const before = this.known.get(value);
    if (before && (before.kind === kind || kind === 'secret')) return undefined;
    this.known.set(value, { name, value, kind });
    this.matcher = undefined; // made again when it is needed
    return undefined;
  }

  get knowsNothing(): boolean {
    return this.known.size === 0;
  }

  kindOf(name: string): SecretKind {
    for (const one of this.known.values()) if (one.name === name) return one.kind;
    return 'secret';
  }

  find(text: string): Sighting[] {
    const keys = apiKeysIn(text);
    if (this.knowsNothing) return keys;
    const found = this.current().find(text);
    return keys.length === 0 ? found : apart([...found, ...keys]);
  }

  text(text: string): Redacted<string> {
    const sightings = this.find(text);
    if (sightings.length === 0) return { value: text, names: [] };
    return { value: cut(text, sightings), names: namesOf(sightings) };
  }

  /** Texts that are shown one after another: a secret may be split over them. */
  texts(texts: readonly string[]): Redacted<string[]> {
    const { cuts, names } = this.lookThrough(texts);
    return { value: texts.map((text, i) => cutOut(text, cuts[i])), names };
  }

  /** Strings, numbers and the names of fields, also where a secret is split over several of them. */
  json<T>(value: T): Redacted<T> {
    const leaves: Leaf[] = [];
    collect(value, leaves);
    const all = this.lookThrough(leaves.map(({ text }) => text));
    // The values alone as well: what stands in two fields is not parted by their names.
    const values = leaves.flatMap((leaf, i) => (leaf.isName ? [] : [i]));
    const alone = this.lookThrough(values.map((i) => (leaves[i] as Leaf).text));
    const names = [...new Set([...all.names, ...alone.names])].toSorted();
    if (names.length === 0) return { value, names };
    values.forEach((i, at) => all.cuts[i]?.push(...(alone.cuts[at] ?? [])));
    let next = 0;
    const cleaned = rebuilt(value, () => {
      const i = next++;
      const cuts = all.cuts[i] ?? [];
      return cuts.length === 0 ? undefined : cutOut((leaves[i] as Leaf).text, apart(cuts));
    });
    return { value: cleaned as T, names };
  }

  /** What to cut out of each text, looked for in all of them one after another. */
  private lookThrough(texts: readonly string[]): { cuts: Sighting[][]; names: string[] } {
    const sightings = this.find(texts.join('\n'));
    let from = 0;
    const cuts = texts.map((text) => {
      const start = from;
      from += text.length + 1;
      return sightings.flatMap((s) =>
        s.start < start + text.length && s.end > start
          ? [{ ...s, start: Math.max(0, s.start - start), end: Math.min(text.length, s.end - start) }]
          : [],
      );
    });
    return { cuts, names: namesOf(sightings) };
  }

  /** For a text that comes in pieces: what may still become a secret is held back. */
  stream(): { add(text: string): string; end(): string } {
    let held = '';
    return {
      add: (text) => {
        held += text;
        const open = Math.min(this.knowsNothing ? held.length : this.current().openEnd(held), apiKeyAtEnd(held));
        const ready = held.slice(0, open);
        held = held.slice(open);
        return this.text(ready).value;
      },
      end: () => {
        const rest = this.text(held).value;
        held = '';
        return rest;
      },
    };
  }

  private current(): Matcher {
    this.matcher ??= new Matcher([...this.known.values()]);
    return this.matcher;
  }
}

const namesOf = (sightings: readonly Sighting[]): string[] =>
  [...new Set(sightings.map(({ name }) => name))].toSorted();

function cut(text: string, sightings: readonly Sighting[]): string {
  let kept = '';
  let from = 0;
  for (const { start, end, name } of sightings) {
    kept += text.slice(from, start) + redactedAs(name);
    from = end;
  }
  return kept + text.slice(from);
}

const cutOut = (text: string, sightings: readonly Sighting[] = []): string =>
  sightings.length === 0 ? text : cut(text, sightings);

/** In order; of those that overlap, one that covers them. */
function apart(sightings: readonly Sighting[]): Sighting[] {
  const separate: Sighting[] = [];
  for (const one of sightings.toSorted((a, b) => a.start - b.start || b.end - a.end)) {
    const last = separate.at(-1);
    if (last && one.start < last.end) last.end = Math.max(last.end, one.end);
    else separate.push({ ...one });
  }
  return separate;
}

/** Keys of our own API are known by their form: of most of them only a hash is kept. */
const API_KEY = /lh_(?:admin_)?[\w-]{32}(?![\w-])/g;
const API_KEY_AT_END = /l(?:h(?:_[\w-]{0,38})?)?$/;

function apiKeysIn(text: string): Sighting[] {
  if (!text.includes('lh_')) return [];
  return [...text.matchAll(API_KEY)].map(({ index, 0: key }) => ({
    start: index,
    end: index + key.length,
    name: 'LONGHAUL_API_KEY',
  }));
}

const apiKeyAtEnd = (text: string): number => {
  const from = Math.max(0, text.length - 64);
  const found = API_KEY_AT_END.exec(text.slice(from));
  return found ? from + found.index : text.length;
};

interface Leaf {
  text: string;
  isName?: true;
}

/** In the order in which JSON has them. */
function collect(value: unknown, leaves: Leaf[]): void {
  if (typeof value === 'string') leaves.push({ text: value });
  else if (typeof value === 'number' || typeof value === 'bigint') leaves.push({ text: String(value) });
  else if (Array.isArray(value)) for (const item of value) collect(item, leaves);
  else if (typeof value === 'object' && value !== null) {
    for (const [name, item] of Object.entries(value)) {
      leaves.push({ text: name, isName: true });
      collect(item, leaves);
    }
  }
}

/** `next` gives, in the order of `collect`, what a leaf becomes; undefined: it stays. */
function rebuilt(value: unknown, next: () => string | undefined): unknown {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint') return next() ?? value;
  if (Array.isArray(value)) return value.map((item) => rebuilt(item, next));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [next() ?? name, rebuilt(item, next)]));
  }
  return value;
}
