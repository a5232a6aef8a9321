// The parts in the order in which they run. The last ones leave runs behind that wait.
import { recovery } from './recovery.js';
import { serverDefaults } from './serverDefaults.js';
import { start } from './start.js';
import { stepCosts } from './steps.js';
import { throughput } from './throughput.js';
import { timeline } from './timeline.js';
import { waiting } from './waiting.js';
import { walBreakdown } from './walBreakdown.js';
import { workerStart } from './workerStart.js';

export const parts = {
  steps: stepCosts,
  defaults: serverDefaults,
  start,
  throughput,
  'worker-start': workerStart,
  recovery,
  waiting,
  wal: walBreakdown,
  timeline,
} as const;

export type PartName = keyof typeof parts;
export const partNames = Object.keys(parts) as PartName[];

export type Results = { [name in PartName]?: Awaited<ReturnType<(typeof parts)[name]['measure']>> };
