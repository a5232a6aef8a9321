// Two normal forms. Strict: only case and Unicode's own equivalence differ; what is found so is the same value. Loose:
// also punctuation, accents, invisible characters and look-alikes; what is found so may be the same value in disguise.
import { plainLetters } from './lookAlikes.js';

// eslint-disable-next-line no-control-regex
const ASCII = /^[\x00-\x7f]*$/;

export const strictForm = (text: string): string =>
  ASCII.test(text) ? text.toLowerCase() : text.normalize('NFC').toLowerCase();

export function looseForm(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase();
  const bare = text.normalize('NFKD').replaceAll(/[\p{M}\p{Cf}]+/gu, '');
  return plainLetters(bare.normalize('NFC').toLowerCase());
}

// Scripts that are written without spaces count each letter as a word.
const WORDS =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]|(?:(?![\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}])[\p{L}\p{N}])+/gu;
const ASCII_WORDS = /[a-z0-9]+/g;

/** The words of a text in a normal form, and where each begins. */
export function wordsOf(form: string): { word: string; at: number }[] {
  const words: { word: string; at: number }[] = [];
  const pattern = ASCII.test(form) ? ASCII_WORDS : WORDS;
  for (const match of form.matchAll(pattern)) words.push({ word: match[0], at: match.index });
  return words;
}

/** Letters and digits alone: however a text is broken up, this stays the same. */
export const squashed = (loose: string): string =>
  wordsOf(loose)
    .map(({ word }) => word)
    .join('');
