// What is compared: something that can be given a run and makes its calls.
import type { BenchRun } from '../benchRun.js';
import type { Roles } from '../measure/cpu.js';

export interface Contender {
  name: ContenderName;
  /** For tables. */
  title: string;
  /** Its calls are empty activities: posting the conversation is no part of its time. */
  isEmpty: boolean;
  /** Asks for a run; resolves when the request was answered. */
  start(run: BenchRun): Promise<void>;
  /** Resolves when everything of the run is written down. */
  ended(run: BenchRun): Promise<void>;
  /** The workflow of a run, if it has one. */
  workflowId?(run: BenchRun): string;
  /** The PostgreSQL database that it writes, by name. */
  database?: string;
  /** Which processes work for it. */
  roles(): Roles;
  stop(): Promise<void>;
}

export const contenderNames = ['plain', 'insert', 'longhaul', 'bare', 'bare-local', 'transcript'] as const;
export type ContenderName = (typeof contenderNames)[number];
