// What a sweep is. Every sweep may run at any time, any number of times, in any number of processes.
import type { Finding } from '../db/sweeps.js';
import type { SweepName } from './catalogue.js';

export interface Sweep {
  name: SweepName;
  /** The host, where it looks after a disk of its own; such a sweep runs on every host. */
  place?: string;
  run(): Promise<Finding[]>;
}

export const minutes = (n: number): number => n * 60_000;
export const days = (n: number): number => minutes(n * 24 * 60);
