// The skeleton of a text: its letters and digits in lower case, as UTF-8 bytes. White space and punctuation fall away, so
// that a value split by them, and both alphabets of base64, look alike.

/** Not part of a skeleton. */
export const SKIP = -1;

/** White space, marks, what is not seen or looks like nothing, and what stands for something that could not be read. */
const SKIPPED_BEYOND_ASCII = /^[\p{Z}\p{C}\p{Mn}\u{115f}\u{1160}\u{3164}\u{ffa0}\u{fffd}]$/u;

const ASCII = Int16Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code);
  return /[a-zA-Z0-9]/.test(character) ? character.toLowerCase().charCodeAt(0) : SKIP;
});

/** The byte of an ASCII character, or SKIP. */
export const asciiByte = (code: number): number => ASCII[code] as number;

/** The bytes of a character beyond ASCII. Full-width letters and digits are the plain ones. */
export function bytesBeyondAscii(code: number): readonly number[] {
  if (code >= 0xff01 && code <= 0xff5e) {
    const byte = asciiByte(code - 0xfee0);
    return byte === SKIP ? [] : [byte];
  }
  const character = String.fromCodePoint(code);
  if (SKIPPED_BEYOND_ASCII.test(character)) return [];
  return [...Buffer.from(character, 'utf8')];
}

/** The skeleton of UTF-8 bytes. */
export function skeletonOf(text: string): number[] {
  const bytes: number[] = [];
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    if (code >= 128) bytes.push(...bytesBeyondAscii(code));
    else if (asciiByte(code) !== SKIP) bytes.push(asciiByte(code));
  }
  return bytes;
}
