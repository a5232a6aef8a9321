// What must be the same in a run that was killed and in its undisturbed twin; what was done twice, and what was lost.
import type { RunEvent } from '../../contracts/events.js';
import { checkChain } from '../../harness/log/eventHash.js';
import { callsInFlight, stepsInFlight } from './inFlight.js';
import type { PassRun } from './pass.js';
import type { RunRecord } from './record.js';
import { threadsOf } from './threads.js';

export interface Difference {
  kind: 'twice' | 'lost' | 'other';
  /** 0: of the run as a whole. */
  step: number;
  text: string;
}

export interface Comparison {
  differences: Difference[];
  /** Irreversible calls that were killed inside and are unknown, as it has to be; by id. */
  unknown: string[];
  /** Calls that were in flight at a kill and made once more, as they may be; by step. */
  repeated: number[];
}

export function compare(
  twin: RunRecord,
  record: RunRecord,
  { victim, hits, streamFaults, stuck }: PassRun,
): Comparison {
  const differences: Difference[] = [];
  const differ = (kind: Difference['kind'], step: number, text: string): void =>
    void differences.push({ kind, step, text });

  // Without an API everything goes on.
  const interruptions = victim === 'api' ? [] : hits;
  const killed = callsInFlight(record.events, interruptions);
  const unknown = record.events.filter((e) => e.type === 'tool.returned' && e.data['outcome'] === 'unknown');
  for (const { step = 0, toolCallId = '', data } of unknown) {
    const may = data['tool'] === 'launch' && killed.has(toolCallId);
    if (!may) differ('other', step, `${toolCallId} is unknown though nobody was killed in it`);
  }
  const excused = new Set(unknown.map((e) => e.toolCallId ?? ''));

  if (stuck !== undefined) differ('lost', stepOfEnd(record), stuck);
  for (const text of [...endProblems(twin, record), ...chainProblems(record)]) differ('other', 0, text);
  for (const text of streamFaults) differ('other', 0, `the stream: ${text}`);
  differences.push(
    ...logDifferences(twin, record, excused),
    ...conversationDifferences(twin, record, excused),
    ...effectDifferences(twin, record, killed, excused),
  );
  const { again, repeated } = modelCallsAgain(record, stepsInFlight(record.events, interruptions));
  differences.push(...again, ...billDifferences(twin, record));
  return { differences, unknown: [...excused], repeated: [...repeated, ...toolCallsRepeated(record)] };
}

const stepOfEnd = ({ events }: RunRecord): number => events.findLast((e) => e.step !== undefined)?.step ?? 0;

function endProblems(twin: RunRecord, { run, workflow }: RunRecord): string[] {
  const ends = (a: RunRecord['run']): unknown[] => [a.status, a.stopReason, a.error, a.steps, a.toolCalls];
  const [is, was] = [JSON.stringify(ends(run)), JSON.stringify(ends(twin.run))];
  return [
    ...(is === was ? [] : [`it ended as ${is} and not as ${was}`]),
    ...(workflow === twin.workflow ? [] : [`Temporal has it as ${workflow} and not as ${twin.workflow}`]),
  ];
}

function chainProblems({ run, events }: RunRecord): string[] {
  const check = checkChain(run.id, events);
  if (!check.ok) return [`event ${check.seq}: ${check.problem}`];
  const whole = check.head.seq === run.lastSeq && check.head.hash === run.lastHash;
  return whole ? [] : [`the log ends with event ${check.head.seq}, the run's row says ${run.lastSeq}`];
}

/** Events of attempts apart, the log tells the same, in the same order within each call and along the run. */
function logDifferences(twin: RunRecord, record: RunRecord, excused: ReadonlySet<string>): Difference[] {
  const were = threadsOf(twin, excused);
  const are = threadsOf(record, excused);
  return [...new Set([...were.keys(), ...are.keys()])].flatMap((thread) => {
    const [was, is] = [were.get(thread) ?? [], are.get(thread) ?? []];
    const step = (was[0] ?? is[0])?.step ?? 0;
    const missing = without(was, is);
    const added = without(is, was);
    const twice = added.filter((a) => was.some((b) => b.text === a.text));
    const other = added.filter((a) => !was.some((b) => b.text === a.text));
    const orderly = missing.length + added.length > 0 || was.every((fact, i) => fact.text === is[i]?.text);
    return [
      ...missing.map((f): Difference => ({ kind: 'lost', step: f.step, text: `the log lacks ${f.text}` })),
      ...twice.map((f): Difference => ({ kind: 'twice', step: f.step, text: `the log has twice ${f.text}` })),
      ...other.map((f): Difference => ({ kind: 'other', step: f.step, text: `the log has besides ${f.text}` })),
      ...(orderly ? [] : [{ kind: 'other' as const, step, text: `the log of ${thread} is in another order` }]),
    ];
  });
}

function without<T extends { text: string }>(items: readonly T[], others: readonly T[]): T[] {
  const left = new Map<string, number>();
  for (const { text } of others) left.set(text, (left.get(text) ?? 0) + 1);
  return items.filter(({ text }) => {
    const count = left.get(text) ?? 0;
    left.set(text, count - 1);
    return count <= 0;
  });
}

/** Message by message, content by its hash: what the model was shown and what it said. */
function conversationDifferences(twin: RunRecord, { messages }: RunRecord, excused: ReadonlySet<string>): Difference[] {
  const textOf = (message: RunRecord['messages'][number] | undefined): string =>
    JSON.stringify(message, (_, value: unknown) => {
      const { toolCallId } = (value ?? {}) as { toolCallId?: string };
      return toolCallId !== undefined && excused.has(toolCallId) ? { toolCallId, unknown: true } : value;
    });
  const differing = Array.from({ length: Math.max(messages.length, twin.messages.length) }, (_, i) => i).filter(
    (i) => textOf(messages[i]) !== textOf(twin.messages[i]),
  );
  return differing.slice(0, 5).map((i) => {
    const [is, was] = [messages[i], twin.messages[i]];
    const kind = is === undefined ? 'lost' : was === undefined ? 'twice' : 'other';
    return { kind, step: (is ?? was)?.step ?? 0, text: `message ${i + 1} is ${textOf(is)} and not ${textOf(was)}` };
  });
}

/** Each effect exactly once by its key; of an irreversible call that nobody knows about, at most once. */
function effectDifferences(
  twin: RunRecord,
  { effects, events }: RunRecord,
  killed: ReadonlyMap<string, number>,
  excused: ReadonlySet<string>,
): Difference[] {
  const stepOf = (toolCallId: string): number => events.find((e) => e.toolCallId === toolCallId)?.step ?? 0;
  const differences = twin.effects.flatMap((was): Difference[] => {
    const { toolCallId, tool } = was;
    const entries = effects.filter((e) => e.toolCallId === toolCallId);
    const step = stepOf(toolCallId);
    // Under whatever key.
    const [happened, asked] = [sum(entries.map((e) => e.effects)), sum(entries.map((e) => e.requests))];
    const may = excused.has(toolCallId);
    const most = 1 + (killed.get(toolCallId) ?? 0);
    const changed = entries.filter((is) => JSON.stringify(is.arguments) !== JSON.stringify(was.arguments));
    return [
      ...(happened > was.effects ? [twice(step, `${tool} ${toolCallId} had ${happened} effects`)] : []),
      ...(happened < was.effects && !may ? [lost(step, `${tool} ${toolCallId} had no effect`)] : []),
      ...(asked > most ? [twice(step, `${tool} ${toolCallId} was asked ${asked} times`)] : []),
      ...(entries.length > 1 ? [twice(step, `${tool} ${toolCallId} was asked under ${entries.length} keys`)] : []),
      ...changed.map((is) => lost(step, `${tool} ${toolCallId} was given ${JSON.stringify(is.arguments)}`)),
    ];
  });
  const strangers = effects.filter((e) => !twin.effects.some((was) => was.toolCallId === e.toolCallId));
  return [...differences, ...strangers.map((e) => twice(stepOf(e.toolCallId), `${e.tool} ${e.toolCallId} happened`))];
}

const sum = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);

const twice = (step: number, text: string): Difference => ({ kind: 'twice', step, text });
const lost = (step: number, text: string): Difference => ({ kind: 'lost', step, text });

/** By the model's own bill: one reply a step, and one more for each time that somebody was killed in it. */
function modelCallsAgain(
  { bill, run }: RunRecord,
  killed: ReadonlyMap<number, number>,
): { again: Difference[]; repeated: number[] } {
  const again: Difference[] = [];
  const repeated: number[] = [];
  const billed = new Map(bill.turns.map((turn) => [turn.turn + 1, turn]));
  for (let step = 1; step <= run.steps; step++) {
    const { calls = 0, unfinished = 0 } = billed.get(step) ?? {};
    const most = 1 + (killed.get(step) ?? 0);
    if (calls === 0) again.push(lost(step, `the model never finished its reply in step ${step}`));
    if (calls + unfinished > most) again.push(twice(step, `the model was asked ${calls + unfinished} times`));
    else if (calls + unfinished > 1) repeated.push(step);
  }
  return { again, repeated };
}

/** The run's own bill: every reply it has is on it, and nothing that the model did not bill. */
function billDifferences(twin: RunRecord, { run, bill }: RunRecord): Difference[] {
  const tokens: [what: string, was: number, is: number, billed: number][] = [
    ['input', twin.run.inputTokens, run.inputTokens, bill.usage.input_tokens],
    ['output', twin.run.outputTokens, run.outputTokens, bill.usage.output_tokens],
  ];
  return tokens.flatMap(([what, was, is, billed]) => [
    ...(is < was ? [lost(0, `${what} tokens: ${is} on the run's bill, ${was} undisturbed`)] : []),
    ...(is > billed ? [twice(0, `${what} tokens: ${is} on the run's bill, ${billed} on the model's`)] : []),
  ]);
}

const toolCallsRepeated = ({ effects, events }: RunRecord): number[] =>
  effects.flatMap(({ requests, toolCallId }) => {
    const event: RunEvent | undefined = events.find((e) => e.toolCallId === toolCallId);
    return requests > 1 ? [event?.step ?? 0] : [];
  });
