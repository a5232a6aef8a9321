// Where the time of a step goes, from the times in the log: between one event and the next lies the commit of the first,
// whatever is done in between, and the transaction that writes the second.
import { newKey } from '../benchRun.js';
import { type Spread, spreadOf } from '../measure/statistics.js';
import { toolCallsOf } from '../loops/activities.js';
import type { Stage } from '../stage.js';
import type { Part } from './part.js';

export interface TimelineResult {
  gaps: Gap[];
  /** Of the bare loop whose tool call is local: what Temporal itself takes between the two calls of a step. */
  bare: Gap[];
}

interface Gap {
  from: string;
  to: string;
  ms: Spread;
}

const STEPS = 100;
/** The first steps compile code and fill caches. */
const SKIPPED = 20;

export const timeline: Part<TimelineResult> = {
  what: '* time between the events of a step',
  onRequest: true,
  async measure(stage, _settings, say) {
    const gaps = await longhaulGaps(stage);
    const bare = await bareGaps(stage);
    for (const { from, to, ms } of [...gaps, ...bare]) {
      const mean = ms.samples.reduce((a, b) => a + b, 0) / ms.samples.length;
      say(`${mean.toFixed(1).padStart(6)} ms mean, ${ms.median.toFixed(1).padStart(5)} median  ${from} → ${to}`);
    }
    return { gaps, bare };
  },
};

async function longhaulGaps({ calls, longhaul }: Stage): Promise<Gap[]> {
  const run = { key: newKey('l'), steps: STEPS };
  const id = await longhaul.startRun(run);
  await calls.reached(run.key, STEPS);
  await longhaul.ended(run);
  const events = (await eventsOf(longhaul, id)).filter((event) => (event.step ?? 0) > SKIPPED);
  return gapsOf(events.map((event) => ({ name: event.type, at: Date.parse(event.at) })));
}

async function bareGaps(stage: Stage): Promise<Gap[]> {
  const { calls } = stage;
  const bare = stage.contender('bare-local');
  if (!bare) return [];
  const run = { key: newKey('l'), steps: STEPS };
  await bare.start(run);
  await bare.ended(run);
  const named = (name: string, key: string) =>
    calls.of(key).flatMap(({ turn, at }) => (turn > SKIPPED ? [{ name, at }] : []));
  const both = [...named('empty model call', run.key), ...named('empty tool call', toolCallsOf(run.key))];
  return gapsOf(both.toSorted((a, b) => a.at - b.at));
}

/** Between each thing and the next, those that happen in most steps. */
function gapsOf(things: readonly { name: string; at: number }[]): Gap[] {
  const gaps = new Map<string, { from: string; to: string; ms: number[] }>();
  things.forEach(({ name: from, at }, i) => {
    const next = things[i + 1];
    if (!next) return;
    const gap = gaps.get(`${from} ${next.name}`) ?? { from, to: next.name, ms: [] };
    gap.ms.push(next.at - at);
    gaps.set(`${from} ${next.name}`, gap);
  });
  const common = [...gaps.values()].filter(({ ms }) => ms.length > (STEPS - SKIPPED) / 2);
  return common.map(({ from, to, ms }) => ({ from, to, ms: spreadOf(ms) }));
}

interface LoggedEvent {
  seq: number;
  type: string;
  at: string;
  step?: number;
}

async function eventsOf(longhaul: Stage['longhaul'], id: string): Promise<LoggedEvent[]> {
  const events: LoggedEvent[] = [];
  for (;;) {
    const after = events.at(-1)?.seq ?? 0;
    const { data } = await longhaul.call<{ data: LoggedEvent[] }>(
      'GET',
      `/v1/runs/${id}/events?limit=1000&after=${after}`,
    );
    if (data.length === 0) return events;
    events.push(...data);
  }
}
