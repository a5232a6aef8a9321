// Finds secrets in a text, however they are spelt, in time proportional to its length.
import { Automaton, OTHER } from './automaton.js';
import { escapeAt, mayEscape } from './escapes.js';
import { SKIP, asciiByte, bytesBeyondAscii } from './skeleton.js';
import { literalsOf, spellingsOf } from './spellings.js';

export interface NamedValue {
  name: string;
  value: string;
}

/** From `start` to before `end` the text is, or spells, the value called `name`. */
export interface Sighting {
  start: number;
  end: number;
  name: string;
}

/** Between two pieces of one secret in base64 stand characters that depend on both. */
const SEAM = 4;
/** Of a pattern that a text ends in the middle of, in bytes. */
const SHORTEST_BEGINNING = 8;

export class Matcher {
  private readonly automaton: Automaton;
  /** Names by number of the pattern. */
  private readonly names: readonly string[];
  private readonly literals: readonly NamedValue[];
  /** Where the latest bytes of the skeleton began in the text; as many as the longest pattern has, a power of two. */
  private readonly starts: Int32Array;

  constructor(values: readonly NamedValue[]) {
    const spelt = values.flatMap(({ name, value }) => spellingsOf(value).map((pattern) => ({ name, pattern })));
    this.names = spelt.map(({ name }) => name);
    this.automaton = new Automaton(spelt.map(({ pattern }) => pattern));
    this.literals = values.flatMap(({ name, value }) => literalsOf(value).map((text) => ({ name, value: text })));
    const longest = Math.max(1, ...spelt.map(({ pattern }) => pattern.length));
    this.starts = new Int32Array(2 ** Math.ceil(Math.log2(longest + 1)));
  }

  /** In order, without overlaps. */
  find(text: string): Sighting[] {
    const { found } = this.look(text);
    const whole = escapeAtEnd(text);
    // Half of an escape says nothing, and hides what stands before it.
    if (whole < text.length) found.push(...this.look(text.slice(0, whole)).found);
    return joined(found, text);
  }

  /** Where the latest thing begins that may become a sighting once more text follows. */
  openEnd(text: string): number {
    const { found, open } = this.look(text);
    // What may become an escape is read both ways: as the characters that it has so far, and as not there yet.
    const whole = escapeAtEnd(text);
    const before = whole < text.length ? Math.min(whole, this.look(text.slice(0, whole)).open) : whole;
    const literal = Math.min(text.length, ...this.literals.map(({ value }) => beginningAtEnd(text, value)));
    const cut = Math.min(open, literal, before);
    return Math.min(cut, ...found.filter(({ end }) => end > cut).map(({ start }) => start));
  }

  private look(text: string): { found: Sighting[]; open: number } {
    const found: Sighting[] = [];
    let open = text.length;
    if (this.names.length > 0) {
      open = this.scan(text, false, found);
      // Read as escapes as well: "%41" is three characters to some and one to others.
      if (mayEscape(text)) open = Math.min(open, this.scan(text, true, found));
    }
    for (const { name, value } of this.literals) {
      for (let at = text.indexOf(value); at >= 0; at = text.indexOf(value, at + value.length)) {
        found.push({ name, start: at, end: at + value.length });
      }
    }
    return { found, open };
  }

  /**
   * Returns where the beginning of a pattern stands with which the text ends. At least half of one is a sighting: somebody
   * has cut the text short.
   */
  private scan(text: string, escapes: boolean, found: Sighting[]): number {
    const { classes, next, output, width, patterns, depth, owner } = this.automaton;
    const { starts, names } = this;
    const mask = starts.length - 1;
    let state = 0;
    let seen = 0;
    let last = 0;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code < 128) {
        const escape = escapes ? escapeAt(text, i) : undefined;
        if (escape) {
          take(i, escape.end, escape.byte, escape.code);
          i = escape.end - 1;
          continue;
        }
        const byte = asciiByte(code);
        if (byte === SKIP) continue;
        step(byte, i, i + 1);
      } else {
        const character = text.codePointAt(i) as number;
        const end = character > 0xffff ? i + 2 : i + 1;
        take(i, end, undefined, character);
        i = end - 1;
      }
    }
    const begun = depth[state] as number;
    if (begun === 0) return text.length;
    const from = starts[(seen - begun) & mask] as number;
    const begins = owner[state] as number;
    if (begun >= SHORTEST_BEGINNING && begun * 2 >= (patterns[begins] as readonly number[]).length) {
      found.push({ name: names[begins] as string, start: from, end: last });
    }
    return from;

    function take(start: number, end: number, byte: number | undefined, character: number | undefined): void {
      const code = byte ?? character;
      if (code === undefined) return;
      if (code < 128) {
        if (asciiByte(code) !== SKIP) step(asciiByte(code), start, end);
      } else if (byte !== undefined) step(byte, start, end);
      else for (const one of bytesBeyondAscii(code)) step(one, start, end);
    }

    function step(byte: number, start: number, end: number): void {
      starts[seen & mask] = start;
      last = end;
      seen += 1;
      const kind = classes[byte] as number;
      state = kind === OTHER ? 0 : (next[state * width + kind] as number);
      const pattern = output[state] as number;
      if (pattern < 0) return;
      const { length } = patterns[pattern] as readonly number[];
      found.push({ name: names[pattern] as string, start: starts[(seen - length) & mask] as number, end });
    }
  }
}

function joined(found: Sighting[], text: string): Sighting[] {
  const sorted = found.toSorted((a, b) => a.start - b.start || b.end - a.end);
  const apart: Sighting[] = [];
  for (const sighting of sorted) {
    const last = apart.at(-1);
    if (last && (sighting.start < last.end || isSeam(last, sighting, text))) {
      last.end = Math.max(last.end, sighting.end);
    } else apart.push({ ...sighting });
  }
  return apart;
}

function isSeam(a: Sighting, b: Sighting, text: string): boolean {
  if (a.name !== b.name || b.start - a.end > 64) return false;
  return text.slice(a.end, b.start).replaceAll(/[^a-zA-Z0-9]/g, '').length <= SEAM;
}

/** Where the longest beginning of `value` stands with which the text ends. */
function beginningAtEnd(text: string, value: string): number {
  for (let at = Math.max(0, text.length - value.length + 1); at < text.length; at++) {
    if (value.startsWith(text.slice(at))) return at;
  }
  return text.length;
}

/** An escape that is not whole yet. */
const ESCAPE_AT_END =
  /(?:%[0-9a-fA-F]?|(?:%25)+[0-9a-fA-F]?|&[#a-zA-Z0-9;]{0,16}|\\+(?:u[0-9a-fA-F]{0,3}|x[0-9a-fA-F]?)?)$/;

const escapeAtEnd = (text: string): number => {
  const tail = text.slice(-64);
  const found = ESCAPE_AT_END.exec(tail);
  return found ? text.length - tail.length + found.index : text.length;
};
