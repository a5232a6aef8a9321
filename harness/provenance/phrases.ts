// Finds a value as a run of whole words in texts that only grow: the rarest word leads to the places, the rest is
// compared there. The cost of a look-up does not grow with the texts.
import { wordsOf } from './normalise.js';
import { Postings, offsetAt, placeOf, textAt } from './postings.js';

/** Of a value, words that are looked up; the rest is compared. */
const MAX_WORDS = 12;

export interface Found {
  /** Number of the text, as `add` counted. */
  text: number;
  /** In the text's form. */
  at: number;
}

export class Phrases {
  private readonly forms: string[] = [];
  private readonly postings = new Postings<string>();

  /** A text in the normal form in which values will be looked for. Returns its number. */
  add(form: string): number {
    const text = this.forms.push(form) - 1;
    for (const { word, at } of wordsOf(form)) this.postings.add(word, placeOf(text, at));
    return text;
  }

  form(text: number): string {
    return this.forms[text] ?? '';
  }

  /** Where the value stands with no letter or digit right before or after it. */
  find(value: string): Found[] {
    const words = wordsOf(value);
    let rarest: { places: readonly number[]; at: number } | undefined;
    for (const { word, at } of words.slice(0, MAX_WORDS)) {
      const places = this.postings.of(word);
      if (places.length === 0) return [];
      if (rarest === undefined || places.length < rarest.places.length) rarest = { places, at };
    }
    if (rarest === undefined) return [];
    const { places, at } = rarest;
    const end = words.at(-1);
    const wordsEnd = end === undefined ? value.length : end.at + end.word.length;
    const found: Found[] = [];
    for (const place of places) {
      const text = textAt(place);
      const start = offsetAt(place) - at;
      const form = this.form(text);
      if (start < 0 || !form.startsWith(value, start)) continue;
      const first = words[0]?.at ?? 0;
      if (standsAlone(form, start + first, start + wordsEnd)) found.push({ text, at: start });
    }
    return found;
  }
}

/** Does no word go on over either end of the range? */
function standsAlone(form: string, from: number, to: number): boolean {
  return !isOneWord(form.slice(from - 1, from + 1)) && !isOneWord(form.slice(to - 1, to + 1));
}

const isOneWord = (pair: string): boolean => pair.length === 2 && wordsOf(pair)[0]?.word.length === 2;
