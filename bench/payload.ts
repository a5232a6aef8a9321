// The texts of a step: 1.5 KB that the model says, 2 KB that the tool returns. Different in every step, so that no store
// can keep them once, and about as compressible as English (deflate leaves 52 %, of prose 54 %).

export const REPLY_BYTES = 1500;
export const RESULT_BYTES = 2000;

const COMMON = (
  'the of and to in a is that for it was on are as with his they at be this from have or by one had not but what all ' +
  'were when we there can an your which their said if do will each about how up out them then she many some so these ' +
  'would other into has more her two like him see time could no make than first been its who now people my made over'
).split(' ');
const ONSETS = 'b br c ch d dr f fl g gr h j k l m n p pl pr qu r s sh st t th tr v w'.split(' ');
const CORES = 'a ai e ea ee i o oa oo ou u'.split(' ');
const ENDS = ['', '', '', 'n', 'r', 's', 't', 'l', 'nd', 'ng', 'st', 'ck'];

/** The same text for the same seed. */
export function words(seed: number, bytes: number): string {
  let state = (seed * 2654435761 + 1) >>> 0;
  const below = (n: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) % n;
  };
  const of = (list: readonly string[]): string => list[below(list.length)] as string;
  const syllables = (n: number): string => Array.from({ length: n }, () => of(ONSETS) + of(CORES) + of(ENDS)).join('');
  let text = '';
  while (text.length < bytes) {
    // A few words make up much of a text.
    const word =
      below(100) < 45 ? COMMON[Math.min(below(COMMON.length), below(COMMON.length))] : syllables(1 + below(3));
    text += `${word}${below(12) === 0 ? '. ' : ' '}`;
  }
  return text.slice(0, bytes);
}
