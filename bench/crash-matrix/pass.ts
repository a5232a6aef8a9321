// One pass over points: as many runs as it takes, each stopped at its next point; then one kill meets them all.
import { sleep } from '../clock.js';
import { Caller } from './caller.js';
import { Player } from './player.js';
import type { Point } from './points.js';
import { agentOf, scriptOf } from './scenario.js';
import { type Stop, commitThose, openStops, reachedStops, releaseCalls, rollBack, setStops, wasMet } from './stops.js';
import type { Victim, World } from './world.js';

/** A kill, as one run lived through it. */
export interface Hit {
  /** Undefined: the run had no point left and was hit wherever it was. */
  point: Point | undefined;
  /** Milliseconds since 1970. */
  at: number;
  /** Until the killed process was ready again, in milliseconds. */
  awayMs: number;
  /** Number of the last event at the time of death. */
  lastSeq: number;
  /** It was at the point that was meant. */
  met: boolean;
}

type SeenHit = Omit<Hit, 'at' | 'awayMs'>;

export interface PassRun {
  victim: Victim;
  agent: string;
  agentRunId: string;
  hits: Hit[];
  streamFaults: string[];
  /** Why it did not come to its end, if it did not. */
  stuck: string | undefined;
}

export interface PassOptions {
  /** Unique; agents are named by it. */
  name: string;
  steps: number;
  victim: Victim;
  /** The points of each run. */
  runs: readonly (readonly Point[])[];
  onKill: (kills: number, most: number) => void;
  signal: AbortSignal;
}

const LOOK_MS = 20;
/** Nothing new in any log for so long: what has not come yet does not come. In milliseconds. */
const SILENCE_MS = 90_000;

interface Lane {
  player: Player;
  /** Still to come. */
  stops: Stop[];
  hits: Hit[];
  ended: boolean;
  failure: string | undefined;
}

export async function runPass(world: World, options: PassOptions): Promise<PassRun[]> {
  const over = new AbortController();
  const lanes = await startLanes(world, options, AbortSignal.any([over.signal, options.signal]));
  const most = Math.max(0, ...options.runs.map((points) => points.length));
  try {
    for (let kills = 1; lanes.some((lane) => next(lane) !== undefined); kills++) {
      await arrive(world, lanes, options.signal);
      await strike(world, lanes, options.victim);
      options.onKill(kills, Math.max(most, kills));
    }
    const log = new LogWatch(world);
    while (!lanes.every((lane) => lane.ended) && !(await log.isSilent(options.signal))) await sleep(LOOK_MS);
  } finally {
    over.abort();
  }
  return lanes.map((lane) => ({
    victim: options.victim,
    agent: lane.player.agent,
    agentRunId: lane.player.agentRunId,
    hits: lane.hits,
    streamFaults: lane.player.streamFaults,
    stuck: lane.failure ?? (lane.ended ? undefined : 'it did not come to its end'),
  }));
}

/** All runs begin at once; their stops were set before. */
async function startLanes(world: World, { name, steps, runs }: PassOptions, signal: AbortSignal): Promise<Lane[]> {
  const agents = runs.map((_, i) => `${name}-${String(i + 1).padStart(4, '0')}`);
  const caller = new Caller(world, signal);
  for (const agent of agents) {
    await world.model.putScript(scriptOf(agent, steps));
    await caller.ok('PUT', `/v1/agents/${agent}`, agentOf(agent, steps, world.sink.url));
  }
  const stops = await setStops(
    world,
    runs.map((points, i) => ({ agent: agents[i] as string, points })),
  );
  return agents.map((agent, i) => {
    const player = new Player(world, agent, signal);
    const lane: Lane = { player, stops: stops[i] as Stop[], hits: [], ended: false, failure: undefined };
    player.play().then(
      () => (lane.ended = true),
      (err: Error) => (lane.failure = err.message),
    );
    return lane;
  });
}

const next = ({ ended, failure, stops }: Lane): Stop | undefined =>
  ended || failure !== undefined ? undefined : stops[0];

/** Until every run that has a stop to come waits there. One that never comes there is not waited for for ever. */
async function arrive(world: World, lanes: readonly Lane[], signal: AbortSignal): Promise<void> {
  const log = new LogWatch(world);
  for (;;) {
    const isReached = await reachedStops(world);
    if (lanes.every((lane) => next(lane) === undefined || isReached(next(lane) as Stop))) return;
    if (await log.isSilent(signal)) return;
    await sleep(LOOK_MS);
  }
}

async function strike(world: World, lanes: readonly Lane[], victim: Victim): Promise<void> {
  const isReached = await reachedStops(world);
  const open = lanes.filter((lane) => !lane.ended && lane.failure === undefined);
  const stops = open.flatMap((lane) => lane.stops[0] ?? []);
  const reached = stops.filter(isReached);
  world.freeze(victim);
  await commitThose(world, reached);
  const hits = await seeHits(world, open, reached);
  const at = Date.now();
  await world.kill(victim);
  // What is held goes on while the victim is away; with PostgreSQL gone, commits can only be let go afterwards.
  if (victim !== 'postgres') {
    await rollBack(world, reached, victim);
    await openStops(world, stops);
  }
  await releaseCalls(world, stops);
  await world.restart(victim);
  const awayMs = Date.now() - at;
  if (victim === 'postgres') await openStops(world, stops);
  for (const [lane, hit] of hits) {
    lane.hits.push({ ...hit, at, awayMs });
    const stop = lane.stops.shift();
    if (stop && !reached.includes(stop)) lane.failure = `it went silent before it was ${stop.point.kind}`;
  }
}

/** What each run's log says at the time of death. Nobody can write now. */
async function seeHits(world: World, lanes: readonly Lane[], reached: readonly Stop[]): Promise<[Lane, SeenHit][]> {
  const { rows } = await world.pool.query<{ agent: string; lastSeq: number }>(
    'SELECT agent_name agent, last_seq "lastSeq" FROM agent_runs WHERE agent_name = ANY ($1)',
    [lanes.map((lane) => lane.player.agent)],
  );
  return Promise.all(
    lanes.map(async (lane): Promise<[Lane, SeenHit]> => {
      const [stop] = lane.stops;
      const met = stop !== undefined && reached.includes(stop) && (await wasMet(world, stop));
      const lastSeq = rows.find((row) => row.agent === lane.player.agent)?.lastSeq ?? 0;
      return [lane, { point: stop?.point, lastSeq, met }];
    }),
  );
}

/** Looks whether anything happens at all. */
class LogWatch {
  private events = -1;
  private since = Date.now();

  constructor(private readonly world: World) {}

  async isSilent(signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    const { rows } = await this.world.pool.query<{ n: number }>('SELECT sum(last_seq)::int n FROM agent_runs');
    const events = rows[0]?.n ?? 0;
    if (events !== this.events) this.since = Date.now();
    this.events = events;
    return Date.now() - this.since > SILENCE_MS;
  }
}
