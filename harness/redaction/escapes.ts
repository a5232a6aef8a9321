// Spellings of one character by others: %41, \u0041, \x41, &#65;, at any depth (%2541, \\u0041, &amp;#65;).

export interface Escape {
  /** Position after it. */
  end: number;
  /** A character by its code point, one byte of UTF-8, or nothing that a skeleton has. */
  code?: number;
  byte?: number;
}

const PERCENT = 37;
const AMPERSAND = 38;
const BACKSLASH = 92;

export const mayEscape = (text: string): boolean => /[%&\\]/.test(text);

/** The escape at `at`, or undefined: then the character stands for itself. */
export function escapeAt(text: string, at: number): Escape | undefined {
  switch (text.charCodeAt(at)) {
    case PERCENT:
      return percent(text, at);
    case AMPERSAND:
      return entity(text, at);
    case BACKSLASH:
      return backslash(text, at);
    default:
      return undefined;
  }
}

function percent(text: string, at: number): Escape | undefined {
  let from = at + 1;
  while (text.startsWith('25', from)) from += 2;
  const byte = hex(text, from, 2);
  return byte === undefined ? undefined : { end: from + 2, byte };
}

const ENTITY = /&(?:amp;)*(?:#(\d{1,7});?|#[xX]([0-9a-fA-F]{1,6});?|(quot|apos|lt|gt|amp|nbsp|Tab|NewLine);)/y;

function entity(text: string, at: number): Escape | undefined {
  ENTITY.lastIndex = at;
  const found = ENTITY.exec(text);
  if (!found) return undefined;
  const [whole, decimal, hexadecimal] = found;
  const end = at + whole.length;
  const digits = decimal ?? hexadecimal;
  if (digits === undefined) return { end };
  const code = Number.parseInt(digits, decimal === undefined ? 16 : 10);
  return code > 0x10ffff ? { end } : { end, code };
}

function backslash(text: string, at: number): Escape {
  let from = at + 1;
  while (text.charCodeAt(from) === BACKSLASH) from += 1;
  const letter = text[from];
  if (letter === 'u') {
    const unit = hex(text, from + 1, 4);
    if (unit === undefined) return { end: from };
    const pair = unit >= 0xd800 && unit < 0xdc00 ? lowSurrogate(text, from + 5) : undefined;
    if (pair) return { end: pair.end, code: 0x10000 + ((unit - 0xd800) << 10) + (pair.unit - 0xdc00) };
    return { end: from + 5, code: unit };
  }
  if (letter === 'x') {
    const byte = hex(text, from + 1, 2);
    return byte === undefined ? { end: from } : { end: from + 3, byte };
  }
  return { end: letter !== undefined && 'nrtbfv'.includes(letter) ? from + 1 : from };
}

function lowSurrogate(text: string, at: number): { end: number; unit: number } | undefined {
  let from = at;
  while (text.charCodeAt(from) === BACKSLASH) from += 1;
  if (from === at || text[from] !== 'u') return undefined;
  const unit = hex(text, from + 1, 4);
  return unit !== undefined && unit >= 0xdc00 && unit < 0xe000 ? { end: from + 5, unit } : undefined;
}

function hex(text: string, from: number, length: number): number | undefined {
  let value = 0;
  for (let i = from; i < from + length; i++) {
    const digit = hexDigit(text.charCodeAt(i));
    if (digit < 0) return undefined;
    value = value * 16 + digit;
  }
  return value;
}

/** NaN, beyond the end of a text, is no digit either. */
function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const lower = code | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}
