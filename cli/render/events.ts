// Each event as one readable line. Events name content by hash; texts and arguments come from the step, when it is known.
import type { EventAnswer, StepAnswer } from '../shapes.js';
import { callText, clock, length, moment, plural, shortVersion, textOf, usd } from './format.js';
import { type Style, oneLine } from './style.js';

export interface EventView {
  style: Style;
  /** Also what a reader seldom needs: requests, verdicts that allow, first attempts. */
  verbose: boolean;
}

/** What was seen of a run so far: when each call started and what each step said. */
export class RunHistory {
  private readonly startedAt = new Map<string, string>();
  private readonly steps = new Map<number, StepAnswer>();
  private queued = 0;

  addStep(step: StepAnswer): void {
    this.steps.set(step.step, step);
  }

  knowsStep(step: number): boolean {
    return this.steps.has(step);
  }

  take(event: EventAnswer): void {
    if (event.type === 'tool.started' && event.toolCallId !== undefined) this.startedAt.set(event.toolCallId, event.at);
    if (event.type === 'message.queued') this.queued += 1;
  }

  /** The first message of a run is its input. */
  get isInput(): boolean {
    return this.queued === 1;
  }

  call(event: EventAnswer): string {
    const call = this.steps.get(event.step ?? 0)?.toolCalls.find((c) => c.toolCallId === event.toolCallId);
    if (call === undefined) return callText(text(event, 'tool') ?? 'tool', undefined);
    return call.arguments === undefined ? oneLine(call.summary) : callText(call.tool, call.arguments);
  }

  took(event: EventAnswer): string {
    const from = this.startedAt.get(event.toolCallId ?? '');
    return from === undefined ? '' : ` ${length(Date.parse(event.at) - Date.parse(from))}`;
  }

  said(event: EventAnswer): string {
    return oneLine(textOf(this.steps.get(event.step ?? 0)?.reply));
  }
}

function text(event: EventAnswer, name: string): string | undefined {
  const value = event.data[name];
  return typeof value === 'string' ? oneLine(value) : undefined;
}

/** The line without its time, or undefined when this reader does not want it. */
export function describeEvent(
  event: EventAnswer,
  history: RunHistory,
  { style, verbose }: EventView,
): string | undefined {
  const { data, actor } = event;
  const by = actor.kind === 'system' ? '' : ` by ${actor.kind} ${oneLine(actor.id)}`;
  const attempt = typeof data['attempt'] === 'number' ? data['attempt'] : 1;
  switch (event.type) {
    case 'run.created':
      return `run created: ${text(event, 'agent')}@${shortVersion(text(event, 'agentVersion') ?? '')}${by}`;
    case 'run.started':
      return verbose ? 'run started' : undefined;
    case 'message.queued':
      if (history.isInput) return verbose ? 'input queued' : undefined;
      return `message queued${by}; the model sees it at its next step`;
    case 'model.requested':
      if (attempt > 1) return style.yellow(`model asked again (attempt ${attempt})`);
      return verbose
        ? `model asked: ${text(event, 'model')}, ${plural(Number(data['messages'] ?? 0), 'message')}`
        : undefined;
    case 'model.replied':
      return `model  ${history.said(event) || style.dim(`(${text(event, 'stopReason')})`)}`;
    case 'model.failed':
      return style.yellow(`model failed: ${text(event, 'message')}${nextTry(event)}`);
    case 'tool.decided':
      return decided(event, history, { style, verbose });
    case 'tool.started':
      if (attempt > 1) return style.yellow(`${history.call(event)}  attempt ${attempt}, same idempotency key`);
      return verbose ? `${history.call(event)}  started` : undefined;
    case 'tool.failed':
      return style.yellow(`${history.call(event)}  no answer: ${text(event, 'message')}${nextTry(event)}`);
    case 'tool.unknown':
      return style.yellow(`${history.call(event)}  nobody knows whether it happened; a person is asked`);
    case 'tool.returned':
      return `${history.call(event)} → ${outcome(text(event, 'outcome') ?? '', style)}${history.took(event)}`;
    case 'tool.result_late':
      return style.yellow(`${history.call(event)}  its result came late: ${lateResult(event, style)}`);
    case 'approval.requested':
      return approvalRequested(event, history, style);
    case 'approval.decided':
      return `${history.call(event)}  ${decision(text(event, 'decision') ?? '', style)}${by}`;
    case 'approval.expired':
      return style.yellow(`${history.call(event)}  approval expired; on expiry: ${text(event, 'onExpiry')}`);
    case 'approval.voted': {
      const granted = `${Number(data['votes'])} of ${Number(data['approvers'])}`;
      return `${history.call(event)}  ${decision(text(event, 'decision') ?? '', style)}${by}: ${granted}`;
    }
    case 'approval.reminded':
      return style.yellow(`${history.call(event)}  nobody has answered yet; it expires ${expiryOf(event)}`);
    case 'approval.escalated': {
      const to = text(event, 'to');
      return style.yellow(`${history.call(event)}  escalated${to ? ` to ${to}` : ''}; it expires ${expiryOf(event)}`);
    }
    case 'undo.approved': {
      const ids = Array.isArray(data['toolCallIds']) ? data['toolCallIds'].length : 0;
      return style.yellow(`undo of ${plural(ids, 'call')} approved${by}`);
    }
    case 'tool.compensating':
      return verbose || attempt > 1 ? `taking back ${history.call(event)} (attempt ${attempt})` : undefined;
    case 'tool.compensated':
      return text(event, 'outcome') === 'undone'
        ? style.green(`taken back: ${history.call(event)}`)
        : style.red(`not taken back: ${history.call(event)}`);
    case 'undo.finished':
      return 'undo finished';
    case 'tools.pinned': {
      const held = Array.isArray(data['held']) ? data['held'].length : 0;
      const tools = Array.isArray(data['tools']) ? data['tools'].length : 0;
      if (held === 0 && !verbose) return undefined;
      const more = held === 0 ? '' : `; ${held} held until a person agrees (longhaul mcp AGENT)`;
      return `${text(event, 'server')} offers ${plural(tools, 'tool')}${more}`;
    }
    case 'tools.changed':
      return style.red(`${text(event, 'server')} has changed ${text(event, 'tool')}; the call was not made`);
    case 'client.requested':
      return [
        style.yellow(`for you to execute: ${history.call(event)}`),
        `  longhaul return RUN ${event.toolCallId ?? ''} --result '…'`,
      ].join('\n');
    case 'client.returned':
      return verbose ? `${history.call(event)}  result returned${by}` : undefined;
    case 'client.expired':
      return style.yellow(`${history.call(event)}  no result came in time`);
    case 'approval.withdrawn':
      return `${history.call(event)}  no longer asked: the result came late`;
    case 'run.waiting':
      return waiting(event, { style, verbose });
    case 'run.resumed':
    case 'run.paused':
      return `run ${event.type.slice(4)}${by}`;
    case 'limit.reached':
      return style.yellow(`limit reached: ${text(event, 'limit')}`);
    case 'worker.lost':
      return style.yellow(`a worker died; ${String(data['calls'])} call(s) in flight handed to another`);
    case 'run.repaired':
      return style.yellow(`housekeeping found ${text(event, 'found')}: ${text(event, 'did')}`);
    case 'signal.ignored':
      return style.yellow(`signal ${text(event, 'signal')} ignored: ${text(event, 'reason')}`);
    case 'run.completed':
      return style.green('run completed');
    case 'run.stopped':
      return style.yellow(
        `run stopped: ${text(event, 'reason')}${text(event, 'detail') ? ` (${text(event, 'detail')})` : ''}`,
      );
    case 'run.failed':
      return style.red(`run failed: ${errorOf(data['error'])}`);
    case 'run.cancelled':
      return style.yellow(`run cancelled${by}${text(event, 'reason') ? `: ${text(event, 'reason')}` : ''}`);
    default:
      return `${event.type}${by}`;
  }
}

function decided(event: EventAnswer, history: RunHistory, { style, verbose }: EventView): string | undefined {
  const call = history.call(event);
  const rule = text(event, 'rule');
  const verdict = text(event, 'verdict');
  if (verdict === 'reject') return `${call} → ${style.red('rejected')}: ${text(event, 'reason')} (${rule})`;
  if (!verbose) return undefined;
  return verdict === 'ask' ? `${call}  a person is asked (${rule})` : `${call}  may run (${rule})`;
}

function lateResult(event: EventAnswer, style: Style): string {
  const told: Record<string, string> = {
    as_result: 'the model is shown it as the result',
    as_message: 'the model is told in its next step',
    no_one: 'the model is not told any more',
  };
  return `${outcome(text(event, 'outcome') ?? '', style)}; ${told[text(event, 'told') ?? ''] ?? ''}`;
}

function approvalRequested(event: EventAnswer, history: RunHistory, style: Style): string {
  const id = text(event, 'code') ?? text(event, 'approvalId') ?? '';
  const expires = text(event, 'expiresAt');
  const until = expires === undefined ? '' : `, until ${moment(expires)}`;
  if (text(event, 'kind') === 'input') {
    return [
      style.yellow(`the model asks: ${history.call(event)}`),
      `  longhaul respond ${id} "your answer"${until}`,
    ].join('\n');
  }
  if (text(event, 'kind') === 'outcome') {
    return [
      style.yellow(`did this happen? ${history.call(event)}`),
      `  ${text(event, 'reason')}`,
      `  longhaul settle ${id} --succeeded "its result"   or   --not-happened   or   --unknown${until}`,
    ].join('\n');
  }
  return [
    style.yellow(`approval needed: ${history.call(event)}`),
    `  ${text(event, 'reason')} (${text(event, 'rule')})`,
    `  longhaul approve ${id}   or   longhaul reject ${id}${until}`,
  ].join('\n');
}

function waiting(event: EventAnswer, { verbose }: EventView): string | undefined {
  const what = text(event, 'for');
  // Said with the question already.
  if ((what === 'approval' || what === 'input' || what === 'client') && !verbose) return undefined;
  const until = text(event, 'until');
  return `waiting for ${what}${until === undefined ? '' : `, until ${moment(until)}`}`;
}

function expiryOf(event: EventAnswer): string {
  const at = text(event, 'expiresAt');
  return at === undefined ? 'soon' : moment(at);
}

function nextTry(event: EventAnswer): string {
  const at = text(event, 'nextTryAt');
  return at === undefined ? '' : `; next try at ${clock(at)}`;
}

export function outcome(name: string, style: Style): string {
  if (name === 'succeeded') return style.green(name);
  return name === 'failed' ? style.yellow(name) : style.red(name);
}

function decision(name: string, style: Style): string {
  const past: Record<string, string> = {
    approve: 'approved',
    reject: 'rejected',
    edit: 'edited and approved',
    respond: 'answered',
    succeeded: 'it happened, said',
    not_happened: 'it did not happen, said',
    unknown: 'nobody knows, said',
  };
  const said = past[name] ?? name;
  return name === 'reject' || name === 'unknown' ? style.red(said) : style.green(said);
}

const errorOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'message' in error ? oneLine(String(error.message)) : 'unknown error';

/** The whole line: time, step, what happened. Lines after the first are set under the text. */
export function eventLine(event: EventAnswer, history: RunHistory, view: EventView): string | undefined {
  const described = describeEvent(event, history, view);
  if (described === undefined) return undefined;
  const step = event.step === undefined ? '' : `step ${event.step}`;
  const [first, ...more] = described.split('\n');
  const indent = ' '.repeat(10 + STEP_WIDTH + 2);
  return [
    `${view.style.dim(clock(event.at))}  ${view.style.cyan(step.padEnd(STEP_WIDTH))}  ${first}`,
    ...more.map((line) => indent + line),
  ].join('\n');
}

const STEP_WIDTH = 7;

export const costOf = (event: EventAnswer): string | undefined => {
  const cost = text(event, 'costUsd');
  return cost === undefined ? undefined : usd(cost);
};
