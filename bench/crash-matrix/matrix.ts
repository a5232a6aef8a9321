// The matrix: an undisturbed run, then runs that are killed until every point was met, each compared with the first.
import { type Observation, differences, observe } from './compare.js';
import { Caller } from './caller.js';
import { type Hit, type Played, play } from './play.js';
import { type Point, allPoints, commitsOf, kindOf, nameOf, oneOfEachKind, planRun } from './points.js';
import { type Scenario, agentOf, scriptOf } from './scenario.js';
import type { Victim, World } from './world.js';
import { transactionEnds } from '../measure/postgres.js';

export interface Outcome {
  victim: Victim;
  /** Points of the plan, and how many were met. */
  points: number;
  met: number;
  hits: Hit[];
  /** Irreversible calls whose outcome is unknown, as it has to be. */
  unknown: number;
  differences: { run: string; label: string; text: string }[];
}

export interface MatrixOptions {
  scenario: Scenario;
  victims: readonly Victim[];
  /** Every point, or one of each kind. */
  every: boolean;
  say: (text: string) => void;
}

/** Passes over points that were planned and not met: a commit is missed when another process is faster. */
const MAX_IDLE_RUNS = 8;

export async function runMatrix(world: World, options: MatrixOptions): Promise<Outcome[]> {
  const { scenario, say } = options;
  const api = new Caller(world);
  await world.model.putScript(scriptOf(scenario));
  const put = await api.call('PUT', `/v1/agents/${scenario.name}`, agentOf(scenario, world.sink.url));
  if (put.status >= 300) throw new Error(JSON.stringify(put.body));

  const start = await journalEnd(world, scenario);
  const undisturbed = await play(world, scenario, { label: `twin ${Date.now()}` });
  const twin = await observe(world, scenario, undisturbed, start);
  if (twin.wrong.length > 0) throw new Error(`the undisturbed run is wrong already: ${twin.wrong.join('; ')}`);
  const commits = commitsOf(undisturbed.events, await transactionEnds(world.pool, undisturbed.agentRunId));
  const order = commits.map(({ key }) => key);
  const points = allPoints(scenario, commits);
  say(`undisturbed: ${scenario.steps.length + 1} steps, ${undisturbed.events.length} events, ${points.length} points`);

  const outcomes: Outcome[] = [];
  for (const victim of options.victims) {
    const wanted = options.every ? points : oneOfEachKind(points);
    outcomes.push(await killEverywhere(world, options, twin, victim, wanted, order));
  }
  return outcomes;
}

async function killEverywhere(
  world: World,
  { scenario, say, every }: MatrixOptions,
  twin: Observation,
  victim: Victim,
  points: readonly Point[],
  order: readonly string[],
): Promise<Outcome> {
  const outcome: Outcome = { victim, points: points.length, met: 0, hits: [], unknown: 0, differences: [] };
  const idOf = every ? nameOf : kindOf;
  const open = new Map(points.map((point) => [idOf(point), point]));
  let from = 0;
  for (let run = 1, idle = 0; open.size > 0 && idle < MAX_IDLE_RUNS; run++) {
    const label = `${victim} ${run} ${Date.now()}`;
    from = await journalEnd(world, scenario, from);
    const before = open.size;
    let played: Played;
    try {
      played = await play(world, scenario, { label, victim, plan: planRun([...open.values()]), order });
    } catch (err) {
      outcome.differences.push({ run: '', label, text: (err as Error).message });
      break;
    }
    const seen = await observe(world, scenario, played, from);
    for (const text of differences(twin, seen, played)) {
      outcome.differences.push({ run: played.agentRunId, label, text });
    }
    for (const hit of played.hits) for (const met of metBy(hit, points, every)) open.delete(idOf(met));
    outcome.hits.push(...played.hits);
    outcome.unknown += seen.unknown.length;
    outcome.met = points.length - open.size;
    idle = open.size < before ? 0 : idle + 1;
    const wrong = outcome.differences.length;
    say(
      `${victim}: run ${run}, ${played.hits.length} kills; ${outcome.met} of ${points.length} points met, ${wrong} differences`,
    );
  }
  return outcome;
}

/** A call was met where it was meant; a commit is the one that really was the last. */
function metBy(hit: Hit, points: readonly Point[], every: boolean): Point[] {
  if (hit.point.kind !== 'commit') return [hit.point];
  const { commit } = hit;
  const kind = kindOf({ ...hit.point, key: commit });
  return points.filter((p) => p.kind === 'commit' && (every ? p.key === commit : kindOf(p) === kind));
}

/** Number of the last request that the model was sent before, so that a run is told from those before it. */
async function journalEnd(world: World, scenario: Scenario, known = 0): Promise<number> {
  return (await world.model.journal(scenario.name, known)).at(-1)?.n ?? known;
}
