// What must be the same in a run that was killed and in its undisturbed twin, and what was done twice or lost.
import type { RunEvent } from '../../contracts/events.js';
import { checkChain } from '../../harness/log/eventHash.js';
import { Caller } from './caller.js';
import type { Played } from './play.js';
import { callNames } from './points.js';
import type { Scenario } from './scenario.js';
import type { Entry } from './sink.js';
import type { World } from './world.js';

export interface Observation {
  /** How it ended, and with what. */
  end: string;
  /** What happened, attempts apart, in no order within a step. */
  facts: string[];
  /** What the model was shown at the last step, message by message. */
  conversation: string[];
  /** Of calls that must have one effect: how many they had. */
  effects: string[];
  /** Calls of the irreversible tool whose outcome is unknown, by name. */
  unknown: string[];
  /** Finished calls that were made again, effects beyond one, and a broken chain, in words. */
  wrong: string[];
}

export async function observe(
  world: World,
  scenario: Scenario,
  played: Played,
  journalFrom: number,
): Promise<Observation> {
  const api = new Caller(world);
  const { body: run } = await api.call('GET', `/v1/runs/${played.agentRunId}`);
  const last = scenario.steps.length + 1;
  const { body: request } = await api.call('GET', `/v1/runs/${played.agentRunId}/steps/${last}/request`);
  const ledger = world.sink.ledger(played.agentRunId);
  const names = callNames(played.events);
  const nameOf = (event: RunEvent): string => `${event.step} ${names(event)}`;
  const unknown = played.events
    .filter((e) => e.type === 'tool.returned' && e.data['outcome'] === 'unknown')
    .map((e) => nameOf(e));
  const { output } = run as { output?: { text: string } };
  return {
    end: JSON.stringify([run['status'], run['steps'], (run['usage'] as { toolCalls: number }).toolCalls, output?.text]),
    facts: factsOf(played.events, nameOf),
    conversation: conversationOf(request, played.label),
    effects: ledger
      .filter((e) => e.tool !== 'launch')
      .map((e) => `${e.tool} ${e.what}: ${e.effects}`)
      .toSorted(byText),
    unknown,
    wrong: [
      ...chainProblem(played),
      ...(await modelCallsAgain(world, scenario, played, journalFrom)),
      ...toolCallsAgain(played.events, ledger, nameOf),
      ...launches(scenario, ledger, unknown),
    ],
  };
}

/** Every difference in words. What was killed inside an irreversible call may be unknown, and only that. */
export function differences(twin: Observation, run: Observation, played: Played): string[] {
  const hitSteps = new Set(played.hits.flatMap(({ point: { step } }) => [step, step + 1]));
  return [
    ...run.wrong,
    ...(run.end === twin.end ? [] : [`it ended as ${run.end} and not as ${twin.end}`]),
    ...listDifferences('the log', twin.facts, run.facts),
    ...listDifferences('the conversation', twin.conversation, run.conversation),
    ...listDifferences('the effects', twin.effects, run.effects),
    ...run.unknown
      .filter((name) => !name.includes('launch') || !hitSteps.has(Number.parseInt(name, 10)))
      .map((name) => `${name} is unknown though nothing was killed in it`),
  ];
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Of attempts and of recovery: they tell what was killed, not what the run did. */
const ATTEMPTS = new Set(['model.failed', 'tool.failed', 'worker.lost']);

function factsOf(events: readonly RunEvent[], nameOf: (event: RunEvent) => string): string[] {
  const facts = events.flatMap((event) => {
    const { type, data } = event;
    if (ATTEMPTS.has(type)) return [];
    if ((type === 'model.requested' || type === 'tool.started') && data['attempt'] !== 1) return [];
    if (type === 'run.waiting' && data['for'] === 'model') return [];
    const outcome = data['outcome'] === 'unknown' && data['tool'] === 'launch' ? 'succeeded' : data['outcome'];
    const what = [data['verdict'], outcome, data['decision'], data['stopReason'], data['rule']].filter(Boolean);
    return [`${event.step ?? '-'} ${type} ${event.toolCallId ? nameOf(event) : ''} ${what.join(' ')}`];
  });
  return facts.toSorted(byText);
}

interface Message {
  role: string;
  content: string | Record<string, unknown>[];
}

function conversationOf(request: Record<string, unknown>, label: string): string[] {
  const ids = new Map<string, string>();
  const tools = new Map<string, string>();
  const idOf = (id: unknown): string => {
    const known = ids.get(String(id)) ?? `call ${ids.size + 1}`;
    ids.set(String(id), known);
    return known;
  };
  return (request['messages'] as Message[]).map(({ role, content }) => {
    const blocks = typeof content === 'string' ? [{ type: 'text', text: content }] : content;
    const shown = blocks.map((block) => {
      const { cache_control: _, ...rest } = block;
      if (rest['type'] === 'tool_use') {
        tools.set(String(rest['id']), String(rest['name']));
        return { ...rest, id: idOf(rest['id']) };
      }
      if (rest['type'] !== 'tool_result') return rest;
      const id = String(rest['tool_use_id']);
      // An unknown launch is said to be unknown; whether it may be is looked at elsewhere.
      return tools.get(id) === 'launch' ? { of: idOf(id) } : { ...rest, tool_use_id: idOf(id) };
    });
    return `${role} ${JSON.stringify(shown)}`.replaceAll(label, 'LABEL');
  });
}

function chainProblem(played: Played): string[] {
  const check = checkChain(played.agentRunId, played.events);
  return check.ok ? [] : [`event ${check.seq}: ${check.problem}`];
}

/** A stored reply is never bought again, and nothing is asked that the log does not know of. */
async function modelCallsAgain(
  world: World,
  scenario: Scenario,
  { events }: Played,
  journalFrom: number,
): Promise<string[]> {
  const asked = new Map<number, number>();
  for (const { turn } of await world.model.journal(scenario.name, journalFrom)) {
    asked.set(turn + 1, (asked.get(turn + 1) ?? 0) + 1);
  }
  return [...asked].flatMap(([step, requests]) => {
    const ofStep = events.filter((e) => e.step === step);
    const replied = ofStep.findIndex((e) => e.type === 'model.replied');
    const attempts = ofStep.filter((e) => e.type === 'model.requested').length;
    return [
      ...(requests > attempts
        ? [`the model was asked ${requests} times in step ${step}, by ${attempts} attempts`]
        : []),
      ...(ofStep.findLastIndex((e) => e.type === 'model.requested') > replied
        ? [`the stored reply of step ${step} was asked for again`]
        : []),
    ];
  });
}

function toolCallsAgain(events: readonly RunEvent[], ledger: Entry[], nameOf: (event: RunEvent) => string): string[] {
  return ledger.flatMap((entry) => {
    const id = entry.key.split(':')[1];
    const ofCall = events.filter((e) => e.toolCallId === id);
    const attempts = ofCall.filter((e) => e.type === 'tool.started').length;
    const returned = ofCall.findIndex((e) => e.type === 'tool.returned');
    const name = ofCall[0] ? nameOf(ofCall[0]) : entry.key;
    return [
      ...(entry.requests > attempts ? [`${name} was asked ${entry.requests} times by ${attempts} attempts`] : []),
      ...(entry.effects > 1 ? [`${name} had ${entry.effects} effects`] : []),
      ...(ofCall.findLastIndex((e) => e.type === 'tool.started') > returned ? [`${name} was made again`] : []),
    ];
  });
}

function launches(scenario: Scenario, ledger: Entry[], unknown: readonly string[]): string[] {
  return scenario.steps.flatMap((calls, i) =>
    calls
      .filter(
        ({ tool, what }) =>
          tool === 'launch' && !ledger.some((e) => e.tool === tool && e.what === what && e.effects > 0),
      )
      .filter(() => !unknown.some((name) => name.startsWith(`${i + 1} launch`)))
      .map(({ what }) => `launch ${what} did not happen and is not unknown`),
  );
}

function listDifferences(what: string, twin: readonly string[], run: readonly string[]): string[] {
  const missing = without(twin, run);
  const added = without(run, twin);
  const name = (items: string[]): string =>
    items.slice(0, 3).join(' | ') + (items.length > 3 ? ` and ${items.length - 3} more` : '');
  return [
    ...(missing.length > 0 ? [`${what} lacks: ${name(missing)}`] : []),
    ...(added.length > 0 ? [`${what} has besides: ${name(added)}`] : []),
  ];
}

function without(items: readonly string[], others: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const other of others) left.set(other, (left.get(other) ?? 0) + 1);
  return items.filter((item) => {
    const count = left.get(item) ?? 0;
    left.set(item, count - 1);
    return count <= 0;
  });
}
