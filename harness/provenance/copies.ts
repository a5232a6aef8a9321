// Finds passages that were copied from texts that only grow, by winnowing: of the hashes of all runs of RUN letters the
// smallest of each window is kept, so that a copied passage of MIN_PASSAGE letters always shares one with its source
// (Schleimer, Wilkerson, Aiken: "Winnowing: Local Algorithms for Document Fingerprinting", SIGMOD 2003).
import { Postings, offsetAt, placeOf, textAt } from './postings.js';

/** Letters and digits, without spaces: five or six words. Shorter ones say the same thing by chance. */
export const MIN_PASSAGE = 32;
const RUN = 16;
const WINDOW = MIN_PASSAGE - RUN + 1;
/** Places of one hash that are compared. */
const MAX_COMPARED = 8;

export interface Copy {
  /** Of the copying text, in letters of its squashed form. */
  from: number;
  to: number;
  /** Number of the text that it was copied from. */
  text: number;
}

export class Copies {
  private readonly texts: string[] = [];
  private readonly postings = new Postings<number>();

  /** A squashed text. Returns its number. */
  add(squashedText: string): number {
    const text = this.texts.push(squashedText) - 1;
    for (const { hash, at } of fingerprints(squashedText)) this.postings.add(hash, placeOf(text, at));
    return text;
  }

  /** The passages of a squashed text that stand in one of the texts, from left to right. */
  in(squashedText: string): Copy[] {
    const copies: Copy[] = [];
    for (const { hash, at } of fingerprints(squashedText)) {
      let best: Copy | undefined;
      for (const place of this.postings.of(hash).slice(0, MAX_COMPARED)) {
        const last = copies.at(-1);
        if (last !== undefined && last.to >= at + RUN) break; // this run is part of a passage found already
        const copy = this.extend(squashedText, at, place);
        if (copy && (best === undefined || copy.to - copy.from > best.to - best.from)) best = copy;
      }
      if (best && best.to - best.from >= MIN_PASSAGE) copies.push(best);
    }
    return copies;
  }

  private extend(copying: string, at: number, place: number): Copy | undefined {
    const source = this.texts[textAt(place)] ?? '';
    const start = offsetAt(place);
    if (!source.startsWith(copying.slice(at, at + RUN), start)) return undefined;
    let before = 0;
    while (before < at && before < start && copying[at - before - 1] === source[start - before - 1]) before += 1;
    let length = RUN;
    while (at + length < copying.length && copying[at + length] === source[start + length]) length += 1;
    return { from: at - before, to: at + length, text: textAt(place) };
  }
}

/** What is left of the copies when the ranges of others are taken out, if it is long enough to count. */
export function without(copies: readonly Copy[], others: readonly Copy[]): Copy[] {
  return copies.flatMap((copy) => {
    let parts = [copy];
    for (const other of others) {
      parts = parts.flatMap((part) => {
        if (other.to <= part.from || other.from >= part.to) return [part];
        return [
          { ...part, to: other.from },
          { ...part, from: other.to },
        ].filter((rest) => rest.to > rest.from);
      });
    }
    return parts.filter((part) => part.to - part.from >= MIN_PASSAGE);
  });
}

interface Fingerprint {
  hash: number;
  at: number;
}

const BASE = 257;
let highest = 1;
for (let i = 1; i < RUN; i++) highest = Math.imul(highest, BASE);

/** The kept hashes; of a text that is shorter than a window, the smallest one. */
function fingerprints(text: string): Fingerprint[] {
  const count = text.length - RUN + 1;
  if (count <= 0) return [];
  const hashes = new Int32Array(count);
  let hash = 0;
  for (let i = 0; i < text.length; i++) {
    if (i >= RUN) hash = (hash - Math.imul(text.charCodeAt(i - RUN), highest)) | 0;
    hash = (Math.imul(hash, BASE) + text.charCodeAt(i)) | 0;
    if (i >= RUN - 1) hashes[i - RUN + 1] = mixed(hash);
  }
  return smallestOfWindows(hashes);
}

/** Without it the smallest hashes would be those of the smallest letters. */
function mixed(hash: number): number {
  const a = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b);
  return (a ^ (a >>> 15)) | 0;
}

function smallestOfWindows(hashes: Int32Array): Fingerprint[] {
  const kept: Fingerprint[] = [];
  const at = (i: number): number => hashes[i] as number;
  let smallest = -1;
  const windows = Math.max(1, hashes.length - WINDOW + 1);
  for (let start = 0; start < windows; start++) {
    const end = Math.min(start + WINDOW, hashes.length);
    if (smallest < start) {
      smallest = start;
      for (let i = start + 1; i < end; i++) if (at(i) <= at(smallest)) smallest = i;
    } else if (at(end - 1) <= at(smallest)) {
      smallest = end - 1;
    } else continue;
    kept.push({ hash: at(smallest), at: smallest });
  }
  return kept;
}
