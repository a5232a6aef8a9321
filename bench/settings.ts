// How much is measured: the full form for publishing, the short one for looking while one works.

export interface Settings {
  /** Lengths of runs, in steps. */
  steps: readonly number[];
  /** Of each length and contender, interleaved. */
  repetitions: number;
  /** Runs of 10 steps with 50 in flight. */
  throughputRuns: number;
  /** Starts of a run, one after the other. */
  starts: number;
  /** Workers killed, of each kind. */
  kills: number;
  workerStarts: number;
  /** Runs that wait for an approval at once. */
  waitingRuns: number;
  /** How long idle processes are looked at. */
  idleSeconds: number;
}

export const full: Settings = {
  steps: [20, 100, 400],
  repetitions: 5,
  throughputRuns: 200,
  starts: 20,
  kills: 10,
  workerStarts: 7,
  waitingRuns: 1000,
  idleSeconds: 30,
};

export const quick: Settings = {
  steps: [20, 100],
  repetitions: 3,
  throughputRuns: 80,
  starts: 8,
  kills: 3,
  workerStarts: 3,
  waitingRuns: 100,
  idleSeconds: 10,
};
