// Where one value of a call came from: the user's words, a trusted result, outsiders, or nowhere.
import type { ProvenanceSource, Standing } from '../../contracts/provenance.js';
import { partsOfMoment } from './dates.js';
import { addressForm, isLink } from './links.js';
import { squashed, looseForm, strictForm, wordsOf } from './normalise.js';
import { type ProvenanceIndex, phraseForm } from './provenanceIndex.js';

export interface ValueStanding {
  standing: Standing;
  sources: ProvenanceSource[];
}

/** Sources shown of one value. */
export const MAX_SOURCES = 3;

/**
 * `about`: words that say what the value is, from the names of argument and tool. A value that anybody could write by
 * chance, such as 13, is the user's only where it stands beside one of them, or in quotes.
 */
export function standingOf(index: ProvenanceIndex, value: string | number, about: ReadonlySet<string>): ValueStanding {
  if (typeof value === 'number' && !isIdentifier(about)) return standingOfNumber(index, value);
  const text = String(value);
  if (text.trim() === '') return { standing: 'clean', sources: [] };
  const named = isLink(text) ? namedLink(index, text) : namedText(index, text.trim(), about);
  if (named.length > 0) return found('clean', named);
  const said = phraseForm(text);
  const heard = heardOf(index, said, about);
  const numbers = index.reported.whole.of(strictForm(text.trim()));
  const { sources, resolved } = index.reported;
  const reported = numbers.flatMap((n) => sources[n] ?? []);
  // What outsiders mention as well they may have picked: the list was trusted, the choice is not.
  if (reported.length > 0 && !heard.some(({ counts }) => counts)) {
    return found(numbers.some((n) => resolved.has(n)) ? 'resolved' : 'reported', reported);
  }
  const all = [...heard.map(({ source }) => source), ...reported];
  return heard.length > 0 ? found('tainted', all) : { standing: 'unknown', sources: [] };
}

/** Where outsiders mention it. It counts where that is no chance. */
function heardOf(
  { outside }: ProvenanceIndex,
  said: string,
  about: ReadonlySet<string>,
): { source: ProvenanceSource; counts: boolean }[] {
  if (said === '') return [];
  const telling = isTelling(said);
  return outside.phrases.find(said).flatMap(({ text: n, at }) => {
    const source = outside.sources[n];
    const counts = telling || isPointedAt(outside.phrases.form(n), at, said.length, about);
    return source === undefined ? [] : [{ source, counts }];
  });
}

const found = (standing: Standing, sources: readonly ProvenanceSource[]): ValueStanding => ({
  standing,
  sources: distinct(sources),
});

export function distinct(sources: readonly ProvenanceSource[]): ProvenanceSource[] {
  const seen = new Map(sources.map((source) => [JSON.stringify(source), source]));
  return [...seen.values()].slice(0, MAX_SOURCES);
}

function standingOfNumber(index: ProvenanceIndex, value: number): ValueStanding {
  const sourcesIn = ({ numbers, sources }: ProvenanceIndex['named']): ProvenanceSource[] =>
    numbers.of(value).flatMap((n) => sources[n] ?? []);
  const named = sourcesIn(index.named);
  if (named.length > 0) return found('clean', named);
  const reported = sourcesIn(index.reported);
  if (reported.length > 0) return found(isResolved(index, value) ? 'resolved' : 'reported', reported);
  const heard = sourcesIn(index.outside);
  return heard.length > 0 ? found('tainted', heard) : { standing: 'unknown', sources: [] };
}

const isResolved = ({ reported }: ProvenanceIndex, value: number): boolean =>
  reported.numbers.of(value).some((n) => reported.resolved.has(n));

/** A link is the same link only as a whole: with another path it leads somewhere else. */
function namedLink({ named }: ProvenanceIndex, link: string): ProvenanceSource[] {
  return named.links.of(addressForm(link)).flatMap((n) => named.sources[n] ?? []);
}

function namedText({ named }: ProvenanceIndex, text: string, about: ReadonlySet<string>): ProvenanceSource[] {
  const value = strictForm(text);
  const places = named.phrases.find(value);
  if (places.length === 0) return namedMoment(named, text);
  const weak = isWeak(value, about);
  return places.flatMap((place) => {
    if (weak && !isPointedAt(named.phrases.form(place.text), place.at, value.length, about)) return [];
    return named.sources[place.text] ?? [];
  });
}

/** A moment whose day and time stand in one text, in whatever words. */
function namedMoment({ moments, sources }: ProvenanceIndex['named'], text: string): ProvenanceSource[] {
  const [first, ...rest] = partsOfMoment(text).map((ways) => new Set(ways.flatMap((way) => moments.of(way))));
  if (first === undefined) return [];
  return [...first].filter((n) => rest.every((part) => part.has(n))).flatMap((n) => sources[n] ?? []);
}

const isIdentifier = (about: ReadonlySet<string>): boolean =>
  ['id', 'ids', 'number', 'no', 'code'].some((w) => about.has(w));

/** Could it stand in a text without being meant? Short numbers, single letters, the argument's own name. */
function isWeak(value: string, about: ReadonlySet<string>): boolean {
  const letters = squashed(looseForm(value));
  return letters.length < 3 || (letters.length < 5 && /^\d+$/.test(letters)) || about.has(value);
}

/** In quotes, behind a #, or right behind a word that says what it is. */
function isPointedAt(form: string, at: number, length: number, about: ReadonlySet<string>): boolean {
  const before = form.slice(Math.max(0, at - 40), at);
  const quoted = /["'`“‘«]$/.test(before) && /^["'`”’»]/.test(form.slice(at + length));
  if (quoted || before.endsWith('#')) return true;
  const words = wordsOf(before).slice(-2);
  return words.some(({ word }) => POINTERS.has(word) || about.has(word));
}

const POINTERS = new Set(['id', 'ids', 'no', 'nr', 'number', 'numbers', 'called', 'named']);

/** Long enough that its being mentioned is no chance. */
const isTelling = (phrase: string): boolean => {
  const letters = phrase.replaceAll(' ', '');
  return letters.length >= 4 && !/^\d{1,5}$/.test(letters);
};
