// The same call with the same result, again and again: first the model is told, then the run stops.

/** Times within `LOOP_STEPS`. */
const NUDGE_AT = 3;
const STOP_AT = 5;
/** So many steps are looked back; a wait for a time in between begins the count anew. */
export const LOOP_STEPS = 30;

export interface Repeat {
  /** For the model, after the result. */
  nudge?: string;
  stop: boolean;
}

/** `before`: how often this call brought this result before. */
export function repeatOf(before: number): Repeat {
  const times = before + 1;
  if (times < NUDGE_AT) return { stop: false };
  const nudge =
    `(This is time ${times} that this very call brought this very result. Calling it again will not change that: ` +
    'do something else, or say what is missing.)';
  return { nudge, stop: times >= STOP_AT };
}
