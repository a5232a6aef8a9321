// kill -9 of a worker in a model call: how long until the call is made again, and whether a finished one is.
import { newKey } from '../benchRun.js';
import { now } from '../clock.js';
import type { Longhaul } from '../contenders/longhaul.js';
import type { Service } from '../../embedded/services.js';
import { type Spread, spreadOf } from '../measure/statistics.js';
import type { Stage } from '../stage.js';
import type { Part } from './part.js';

export interface RecoveryResult {
  /** The only worker is killed and started again at once. In milliseconds. */
  onlyWorker: {
    toFirstCall: Spread;
    /** Less the time that the new process needs until it polls. */
    lessProcessStart: Spread;
    toNextStep: Spread;
  };
  /** Another worker is alive; the killed one is not started again until the call was made. In milliseconds. */
  secondWorker: { toFirstCall: Spread; toNextStep: Spread };
  /** Of calls that had been answered. */
  madeAgain: number;
  kills: number;
}

interface Kill {
  toFirstCall: number;
  toNextStep: number;
  processStart: number;
  madeAgain: number;
}

/** The run is killed in this turn's call. */
const TURN = 2;
const STEPS = 4;

export const recovery: Part<RecoveryResult> = {
  what: 'kill -9 of a worker in a model call to the first new call',
  async measure(stage, settings, say) {
    const { longhaul } = stage;
    const only: Kill[] = [];
    for (let i = 0; i < settings.kills; i++) {
      only.push(await killIn(stage, (victim) => longhaul.replaceWorker(victim)));
      say(`only worker: ${text(only.at(-1) as Kill)}`);
    }
    const second: Kill[] = [];
    for (let i = 0; i < settings.kills; i++) {
      const other = await longhaul.startWorker();
      second.push(await killIn(stage, undefined));
      say(`second worker alive: ${text(second.at(-1) as Kill)}`);
      if (!longhaul.workers.includes(other)) await longhaul.startWorker();
      while (longhaul.workers.length > 1) await longhaul.stopWorker(longhaul.workers[0] as Service);
    }
    const of = (kills: Kill[], value: (k: Kill) => number): Spread => spreadOf(kills.map(value));
    return {
      onlyWorker: {
        toFirstCall: of(only, (k) => k.toFirstCall),
        lessProcessStart: of(only, (k) => k.toFirstCall - k.processStart),
        toNextStep: of(only, (k) => k.toNextStep),
      },
      secondWorker: { toFirstCall: of(second, (k) => k.toFirstCall), toNextStep: of(second, (k) => k.toNextStep) },
      madeAgain: [...only, ...second].reduce((sum, k) => sum + k.madeAgain, 0),
      kills: only.length + second.length,
    };
  },
};

const text = (k: Kill): string =>
  `${k.toFirstCall.toFixed(0)} ms to the first call, ${k.toNextStep.toFixed(0)} to the next step's, ` +
  `process start ${k.processStart.toFixed(0)}, made again ${k.madeAgain}`;

/** `replace` kills and starts again; without it the worker is only killed. */
async function killIn(stage: Stage, replace: ((victim: Service) => Promise<number>) | undefined): Promise<Kill> {
  const { calls, longhaul } = stage;
  const run = { key: newKey('k'), steps: STEPS, hold: TURN };
  await longhaul.start(run);
  await calls.reached(run.key, TURN);
  const victim = await holderOf(stage, longhaul.workflowId(run));
  const from = now();
  const processStart = replace ? await replace(victim) : await longhaul.killWorker(victim).then(() => 0);
  const again = await calls.reached(run.key, TURN, 2);
  const next = await calls.reached(run.key, TURN + 1);
  await longhaul.ended(run);
  const finished = Array.from({ length: STEPS + 1 }, (_, turn) => calls.attempts(run.key, turn).length);
  const expected = STEPS + 2; // every turn once, the one in flight twice
  return {
    toFirstCall: again.at - from,
    toNextStep: next.at - from,
    processStart,
    madeAgain: finished.reduce((a, b) => a + b, 0) - expected,
  };
}

/** The worker whose model call is in flight: Temporal knows it by its identity, which has its pid in it. */
async function holderOf({ temporal, longhaul }: Stage, workflowId: string): Promise<Service> {
  const { raw } = await temporal.workflow.getHandle(workflowId).describe();
  const identity = raw.pendingActivities?.[0]?.lastWorkerIdentity ?? '';
  const holder = findByPid(longhaul, identity);
  if (!holder) throw new Error(`no worker of ours holds the call (${identity})`);
  return holder;
}

const findByPid = (longhaul: Longhaul, identity: string): Service | undefined =>
  longhaul.workers.find((worker) => identity.split(/[:@]/).includes(String(worker.pid)));
