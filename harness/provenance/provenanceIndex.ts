// Everything that the model has before it, by where it came from. Only grows, a span at a time; look-ups do not get
// slower with it. Kept by whoever keeps the conversation.
import type { ProvenanceSource } from '../../contracts/provenance.js';
import type { ToolLabel } from '../../contracts/tools.js';
import { Copies } from './copies.js';
import { momentsIn } from './dates.js';
import { decodedIn } from './encodings.js';
import { addressForm, linksIn } from './links.js';
import { looseForm, squashed, strictForm, wordsOf } from './normalise.js';
import { asNumber, numbersIn } from './numbers.js';
import { Phrases } from './phrases.js';
import { Postings } from './postings.js';
import { PrivateValues } from './privateValues.js';
import { type Span, isPrivate, trustOf } from './span.js';

/** Words in order, nothing else: how texts of outsiders are compared. */
export const phraseForm = (text: string): string =>
  wordsOf(looseForm(text))
    .map(({ word }) => word)
    .join(' ');

/** The texts of one kind of source. `sources` has one entry per text, by the number that every index below counts with. */
class Texts {
  readonly sources: ProvenanceSource[] = [];
  readonly phrases = new Phrases();
  readonly copies = new Copies();
  readonly whole = new Postings<string>();
  readonly numbers = new Postings<number>();
  readonly links = new Postings<string>();
  readonly moments = new Postings<string>();
  readonly squashed: string[] = [];
  /** Numbers of the texts whose values are resolved. */
  readonly resolved = new Set<number>();

  add(source: ProvenanceSource, form: string, text: string): void {
    const number = this.sources.push(source) - 1;
    const letters = squashed(looseForm(text));
    this.squashed.push(letters);
    this.phrases.add(form);
    this.copies.add(letters);
    for (const n of numbersIn(text)) this.numbers.add(n, number);
    for (const link of linksIn(text)) this.links.add(addressForm(link), number);
  }

  /** What only texts of our own are searched for: moments, and links that a sentence follows without a space. */
  addNamed(text: string): void {
    const number = this.sources.length - 1;
    for (const moment of momentsIn(text)) this.moments.add(moment, number);
    for (const link of linksIn(text.replaceAll(/\.(?=\p{Lu}\p{Ll})/gu, '. ')))
      this.links.add(addressForm(link), number);
  }

  addWhole(value: string, resolved: boolean): void {
    const number = this.sources.length - 1;
    if (resolved) this.resolved.add(number);
    this.whole.add(strictForm(value.trim()), number);
    const n = asNumber(value);
    if (n !== undefined) this.numbers.add(n, number);
  }
}

export class ProvenanceIndex {
  readonly named = new Texts();
  readonly reported = new Texts();
  readonly outside = new Texts();
  readonly privateValues = new PrivateValues();
  private readonly labelsInView = new Set<ToolLabel>();

  get labels(): ToolLabel[] {
    return [...this.labelsInView].toSorted();
  }

  add({ source, text, whole, resolved = false }: Span): void {
    const trust = trustOf(source);
    if (trust !== 'named') for (const label of source.labels) this.labelsInView.add(label);
    else if (isPrivate(source.labels)) this.labelsInView.add('private');
    if (isPrivate(source.labels)) this.privateValues.add(text);
    switch (trust) {
      case 'named':
        this.named.add(source, strictForm(text), text);
        this.named.addNamed(text);
        return;
      case 'reported':
        // Word by word it is compared with nothing: only a whole value of a trusted result counts.
        this.reported.add(source, '', text);
        if (whole) this.reported.addWhole(text, resolved);
        return;
      case 'outside':
        for (const said of [text, ...decodedIn(text)]) this.outside.add(source, phraseForm(said), said);
    }
  }
}
