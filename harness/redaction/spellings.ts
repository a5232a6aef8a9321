// The ways a secret may stand in a text, as skeletons: itself, reversed, in hexadecimal, in base64 at each alignment.
import { skeletonOf } from './skeleton.js';

/** A spelling with a shorter skeleton is not looked for: ordinary text might have it. */
const SHORTEST = 8;
/** Longer values are looked for in pieces of this many characters, so that a part of one is found as well. */
const PIECE = 64;
const WHOLE = 96;

export function spellingsOf(value: string): number[][] {
  const skeletons = piecesOf(value).flatMap((piece) => {
    const forwards = formsOf(piece).map(skeletonOf);
    const backwards = formsOf(reversed(piece)).map(skeletonOf);
    // A form that is reversed as a whole is another one than that of the reversed value.
    return [...forwards, ...backwards, ...forwards.map((skeleton) => skeleton.toReversed())];
  });
  const distinct = new Map(skeletons.map((skeleton) => [skeleton.join(), skeleton]));
  return [...distinct.values()].filter((skeleton) => skeleton.length >= SHORTEST);
}

function formsOf(text: string): string[] {
  const bytes = Buffer.from(text, 'utf8');
  const pairs = [...bytes].map((byte) => `0x${byte.toString(16).padStart(2, '0')}`);
  return [text, bytes.toString('hex'), pairs.join(' '), ...[0, 1, 2].map((before) => base64Within(bytes, before))];
}

export const reversed = (text: string): string => Array.from(text).toReversed().join('');

/** Without the lines that name a key's format: those are no secret. */
function piecesOf(value: string): string[] {
  const characters = Array.from(value.replaceAll(/-----[A-Z ]+-----/g, '').trim());
  if (characters.length <= WHOLE) return [characters.join('')];
  const pieces: string[] = [];
  for (let from = 0; from < characters.length; from += PIECE) {
    const rest = characters.length - from;
    // A short last piece would be no secret by itself: it belongs to the one before.
    if (rest < PIECE + SHORTEST * 2) return [...pieces, characters.slice(from).join('')];
    pieces.push(characters.slice(from, from + PIECE).join(''));
  }
  return pieces;
}

/** Those characters of a base64 text that depend on `bytes` alone, when `before` bytes stand before them. */
function base64Within(bytes: Buffer, before: number): string {
  const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
  return text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
}

/** Of a value with few letters and digits: what it looks like as it is, escaped, and in a URL or a page. */
export function literalsOf(value: string): string[] {
  if (skeletonOf(value).length >= SHORTEST) return [];
  const json = JSON.stringify(value).slice(1, -1);
  const html = value
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
  const forms = [value, reversed(value), json, encodeURIComponent(value.toWellFormed()), html];
  return [...new Set(forms)];
}
