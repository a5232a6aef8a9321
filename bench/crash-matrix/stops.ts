// Where the runs of a pass are stopped, so that a kill meets each of them at the place that is meant.
import { closeGates, endConnections, isLogged, openGates, waitingAtGates, type Gate, type Waiting } from './gates.js';
import type { Point } from './points.js';
import type { SinkHold } from './sink.js';
import { type Victim, type World, connectionsOf } from './world.js';

export interface Stop {
  agent: string;
  point: Point;
  /** For a commit. */
  gate?: Gate;
  /** For a model call: name of the hold. */
  hold?: string;
  /** For a tool call. */
  sink?: SinkHold;
}

let gates = 0;

/** All of them before the runs begin: a place that is passed does not come again. */
export async function setStops(world: World, runs: readonly { agent: string; points: readonly Point[] }[]) {
  const stops = runs.map(({ agent, points }) => points.map((point) => newStop(world, agent, point)));
  await closeGates(
    world.pool,
    stops.flat().flatMap(({ gate }) => gate ?? []),
  );
  for (const { agent, point, hold } of stops.flat()) {
    if (hold === undefined || point.place.in !== 'model') continue;
    await world.model.holdAt({ name: hold, script: agent, turn: point.place.turn, at: point.place.at });
  }
  return stops;
}

function newStop({ sink }: World, agent: string, point: Point): Stop {
  const { place } = point;
  switch (place.in) {
    case 'commit':
      return { agent, point, gate: { id: ++gates, agent, ...place.event } };
    case 'model':
      return { agent, point, hold: `${agent} ${point.n}` };
    case 'tool':
      return { agent, point, sink: sink.holdAt({ agent, toolCallId: place.toolCallId, when: place.when }) };
  }
}

/** Tells of each stop whether its run waits there. */
export async function reachedStops({ pool, model }: World): Promise<(stop: Stop) => boolean> {
  const [waiting, held] = await Promise.all([waitingAtGates(pool), model.waitingAtHolds()]);
  const names = new Set(held);
  return ({ gate, hold, sink }) =>
    gate ? waiting.has(gate.id) : hold === undefined ? sink?.isReached() === true : names.has(hold);
}

const isSide = ({ point: { place } }: Stop, side: 'before' | 'after'): boolean =>
  place.in === 'commit' && place.side === side;

const idsOf = (stops: readonly Stop[]): number[] => stops.flatMap(({ gate }) => gate?.id ?? []);

/** Lets those commit that are to be killed after it, and waits until they have. Nobody may hear of it yet. */
export async function commitThose({ pool }: World, stops: readonly Stop[]): Promise<void> {
  const ids = idsOf(stops.filter((stop) => isSide(stop, 'after')));
  if (ids.length === 0) return;
  await openGates(pool, ids);
  for (;;) {
    const waiting = await waitingAtGates(pool);
    if (!ids.some((id) => waiting.has(id))) return;
  }
}

/** The process that was killed does not commit any more: what it had not committed is lost. */
export async function rollBack({ pool }: World, stops: readonly Stop[], victim: Victim): Promise<void> {
  const waiting = await waitingAtGates(pool);
  const lost = idsOf(stops).flatMap((id): Waiting[] => {
    const connection = waiting.get(id);
    return connection?.application === connectionsOf(victim) ? [connection] : [];
  });
  await endConnections(
    pool,
    lost.map(({ pid }) => pid),
  );
}

/** Was the run where it was meant to be? Asked while those that are killed before a commit cannot commit yet. */
export async function wasMet({ pool }: World, stop: Stop): Promise<boolean> {
  if (!stop.gate) return true;
  return (await isLogged(pool, stop.gate)) === isSide(stop, 'after');
}

export async function openStops({ pool }: World, stops: readonly Stop[]): Promise<void> {
  await openGates(pool, idsOf(stops));
}

/** Calls to the outside go on; those of a killed process have ended with it. */
export async function releaseCalls({ model }: World, stops: readonly Stop[]): Promise<void> {
  for (const { hold, sink } of stops) {
    sink?.release();
    if (hold !== undefined) await model.release(hold);
  }
}
