// How much is measured: the full form for publishing, the short one for looking while one works.

export interface Settings {
  /** Lengths of runs, in steps. */
  steps: readonly number[];
  /** Of each length and contender, interleaved. */
  repetitions: number;
}

export const full: Settings = { steps: [20, 100, 400], repetitions: 5 };
export const quick: Settings = { steps: [20, 100], repetitions: 3 };
