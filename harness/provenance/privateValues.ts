// What private results hold, found again in arguments however it is written: with other separators, encoded, reversed.
import { Copies } from './copies.js';
import { decodedIn } from './encodings.js';
import { looseForm, squashed } from './normalise.js';

/** Letters and digits that a value needs to be told from an ordinary word. */
const MIN_VALUE = 6;
const KEY = MIN_VALUE;

export class PrivateValues {
  /** Squashed values by their first letters. */
  private readonly values = new Map<string, string[]>();
  private readonly texts = new Copies();

  add(text: string): void {
    this.texts.add(squashed(looseForm(text)));
    for (const value of tellingParts(text)) {
      const key = value.slice(0, KEY);
      const known = this.values.get(key);
      if (known === undefined) this.values.set(key, [value]);
      else if (!known.includes(value)) known.push(value);
    }
  }

  get isEmpty(): boolean {
    return this.values.size === 0;
  }

  /** Does the text carry a private value? Those that `mayPass` are no secret here. */
  isIn(text: string, mayPass: (value: string) => boolean): boolean {
    return [text, ...decodedIn(text)].some((said) => {
      const forwards = squashed(looseForm(said));
      return [forwards, Array.from(forwards).toReversed().join('')].some((form) => this.carried(form, mayPass));
    });
  }

  private carried(form: string, mayPass: (value: string) => boolean): boolean {
    for (let at = 0; at + KEY <= form.length; at++) {
      const values = this.values.get(form.slice(at, at + KEY));
      if (values?.some((value) => form.startsWith(value, at) && !mayPass(value))) return true;
    }
    return this.texts.in(form).some(({ from, to }) => !mayPass(form.slice(from, to)));
  }
}

const PART = /[\p{L}\p{N}](?:[\p{L}\p{N}._%+@/-]*[\p{L}\p{N}])?(?: ?[\d-]{3,})*/gu;
const DATE = /^\d{4}-\d{2}-\d{2}|^\d{1,2}[./-]\d{1,2}[./-]\d{2,4}$/;

/** Numbers and codes, addresses of mail: parts that nobody writes by chance. Squashed. */
function tellingParts(text: string): string[] {
  const parts = (text.match(PART) ?? []).filter(
    (part) => part.includes('@') || (/\d(?:.*\d){3}/.test(part) && !DATE.test(part)),
  );
  return [...new Set(parts.map((part) => squashed(looseForm(part))))].filter((part) => part.length >= MIN_VALUE);
}
