// The texts of a step: 1.5 KB that the model says, 2 KB that the tool returns. Different in every step, so that no store
// can keep them once, and made of words, so that compression finds what it finds in real ones.

export const REPLY_BYTES = 1500;
export const RESULT_BYTES = 2000;

const WORDS = (
  'the order was paid on time and shipped from our second warehouse to a customer who wrote that nothing had arrived ' +
  'so we looked at every record of that week found three parcels with wrong labels and asked the carrier for a trace'
).split(' ');

/** The same text for the same seed. */
export function words(seed: number, bytes: number): string {
  let state = (seed * 2654435761 + 1) >>> 0;
  let text = '';
  while (text.length < bytes) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    text += `${WORDS[(state >>> 8) % WORDS.length]} `;
  }
  return text.slice(0, bytes);
}
