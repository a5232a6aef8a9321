// What a benchmark run is asked to do. It travels as the first message of the conversation, so that the model stub
// needs no state and every contender is told the same.

export interface BenchRun {
  /** Letters and digits. */
  key: string;
  /** Model calls that ask for a tool; one more ends the run. */
  steps: number;
  /** The first request of this turn is never answered, so that its caller can be killed in it. 0: none. */
  hold?: number;
}

export const firstMessage = ({ key, steps, hold = 0 }: BenchRun): string => `bench:${key}:${steps}:${hold}:`;

export const FIRST_MESSAGE = /bench:([0-9A-Za-z]+):(\d+):(\d+):/;

let made = 0;

export const newKey = (prefix: string): string => `${prefix}${process.pid.toString(36)}n${(made++).toString(36)}`;
