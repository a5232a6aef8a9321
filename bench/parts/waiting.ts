// Runs that wait for an approval: what they cost the processes that wait with them.
import { waitingAgent } from '../agent.js';
import { newKey } from '../benchRun.js';
import { sleep } from '../clock.js';
import { type PerRole, cpuOf, cpuSince, memoryOf } from '../measure/cpu.js';
import type { Settings } from '../settings.js';
import type { Service } from '../../embedded/services.js';
import type { Stage } from '../stage.js';
import type { Part } from './part.js';

export interface Idle {
  /** Milliseconds of CPU a second. */
  cpuMsPerSecond: PerRole;
  memoryMiB: PerRole;
}

export interface WaitingResult {
  runs: number;
  /** Until all of them waited, in seconds. */
  seconds: number;
  /** A fresh worker and API, nothing waits. */
  before: Idle;
  /** The worker that brought the runs to where they wait. */
  after: Idle;
  /** A worker that was started while they waited. */
  freshWorker: Idle;
}

/** Starts of runs under way at once. */
const AT_ONCE = 20;
/** Processes come to rest: connections are closed, garbage is collected. */
const SETTLE_MS = 15_000;

export const waiting: Part<WaitingResult> = {
  what: 'runs that wait for approvals: memory and CPU of idle processes',
  async measure(stage, settings, say) {
    const { longhaul } = stage;
    await freshWorker(stage);
    const before = await idle(stage, settings);
    say(`before: ${text(before)}`);
    const from = Date.now();
    await startWaitingRuns(stage, settings.waitingRuns);
    const seconds = (Date.now() - from) / 1000;
    say(`${settings.waitingRuns} runs wait after ${seconds.toFixed(0)} s`);
    const after = await idle(stage, settings);
    say(`after: ${text(after)}`);
    await freshWorker(stage);
    const fresh = await idle(stage, settings);
    say(`a fresh worker: ${text(fresh)}`);
    if (longhaul.workers.length !== 1) throw new Error('there is more than one worker');
    return { runs: settings.waitingRuns, seconds, before, after, freshWorker: fresh };
  },
};

async function freshWorker({ longhaul }: Stage): Promise<void> {
  await longhaul.stopWorker(longhaul.workers[0] as Service);
  await longhaul.startWorker();
}

async function idle({ longhaul }: Stage, settings: Settings): Promise<Idle> {
  await sleep(SETTLE_MS);
  const before = cpuOf(longhaul.roles());
  await sleep(settings.idleSeconds * 1000);
  const cpu = cpuSince(before, cpuOf(longhaul.roles()));
  return {
    cpuMsPerSecond: Object.fromEntries(Object.entries(cpu).map(([role, ms]) => [role, ms / settings.idleSeconds])),
    memoryMiB: memoryOf(longhaul.roles()),
  };
}

async function startWaitingRuns({ longhaul, postgres }: Stage, count: number): Promise<void> {
  const waitingBefore = await postgres.waitingRuns();
  let asked = 0;
  const lane = async (): Promise<void> => {
    while (asked < count) {
      asked += 1;
      await longhaul.startRun({ key: newKey('w'), steps: 1 }, waitingAgent.name);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  for (let silent = 0, last = -1; ;) {
    const now = (await postgres.waitingRuns()) - waitingBefore;
    if (now >= count) return;
    silent = now === last ? silent + 1 : 0;
    last = now;
    if (silent > 240) throw new Error(`only ${now} of ${count} runs came to wait for their approval`);
    await sleep(250);
  }
}

const text = ({ cpuMsPerSecond, memoryMiB }: Idle): string =>
  Object.keys(memoryMiB)
    .map((role) => {
      const key = role as keyof PerRole;
      return `${role} ${(cpuMsPerSecond[key] ?? 0).toFixed(1)} ms CPU/s, ${(memoryMiB[key] ?? 0).toFixed(0)} MiB`;
    })
    .join('; ');
