// What counts as a secret. A value that is short or regular would blank ordinary text, so it is not looked for.

/** Of one kind of character, such as a word: so long that no ordinary text has it by chance. */
const LONG = 16;
const SHORTEST = 8;
const MIN_DISTINCT_LONG = 6;
const MIN_DISTINCT = 5;

const KINDS = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^a-zA-Z0-9]/];

/** Why a value cannot be told from ordinary text, or undefined: then it is removed wherever it is seen. */
export function weaknessOf(value: string): string | undefined {
  const characters = Array.from(value.trim());
  if (characters.length < SHORTEST) return `has fewer than ${SHORTEST} characters`;
  const kinds = KINDS.filter((kind) => kind.test(value)).length;
  if (kinds < 2 && characters.length < LONG) {
    return `has fewer than ${LONG} characters and all of one kind (a word, a number)`;
  }
  const distinct = new Set(characters).size;
  const least = characters.length < LONG ? MIN_DISTINCT : MIN_DISTINCT_LONG;
  return distinct < least ? `has fewer than ${least} different characters` : undefined;
}
