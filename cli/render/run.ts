// A run as a few lines, and its end as a summary.
import type { Run, RunStatus } from '../../contracts/agentRun.js';
import { count, length, moment, plural, relative, shortVersion, totalTokens, usd } from './format.js';
import { type Style, harmless, oneLine } from './style.js';

const colourOf = {
  completed: 'green',
  failed: 'red',
  waiting: 'yellow',
  paused: 'yellow',
  stopped: 'yellow',
  cancelled: 'yellow',
  queued: 'cyan',
  running: 'cyan',
} as const;

export const paintStatus = (status: RunStatus, style: Style): string => style[colourOf[status]](status);

function questions(run: Run): string | undefined {
  if (run.unknownCalls?.some((call) => call.asked)) return `longhaul approvals --run ${run.id}`;
  return run.waiting?.approvalIds?.map((id) => `longhaul approve ${id}`).join('   ');
}

/** What the exit code of a command says about the run that it watched. */
export const exitCodeOf = (status: RunStatus): number =>
  ({ completed: 0, stopped: 2, failed: 3, cancelled: 4, queued: 0, running: 0, waiting: 0, paused: 0 })[status];

export function why(run: Run): string | undefined {
  if (run.status === 'stopped') return run.stopReason;
  if (run.status === 'failed') return run.error && `${run.error.type}: ${run.error.message}`;
  if (run.status === 'waiting' && run.waiting) {
    const { for: what, until, reason } = run.waiting;
    return [`for ${what}`, until && `until ${moment(until)}`, reason].filter(Boolean).join(', ');
  }
  return undefined;
}

export function summary(run: Run, style: Style): string {
  const from = run.startedAt ?? run.createdAt;
  const took = run.endedAt === undefined ? [] : [length(Date.parse(run.endedAt) - Date.parse(from))];
  // The message of a failure stands in the last event and in `longhaul show`.
  const reason = run.status === 'failed' ? run.error?.type : why(run);
  return [
    style.bold(paintStatus(run.status, style)) + (reason === undefined ? '' : ` (${oneLine(reason)})`),
    plural(run.steps, 'step'),
    plural(run.usage.toolCalls, 'tool call'),
    `${count(totalTokens(run.usage))} tokens`,
    usd(run.costUsd),
    ...took,
  ].join('  ');
}

/** What can be done with a run that ended other than well. */
export function advice(run: Run): string | undefined {
  if (run.status === 'failed') {
    return `When the cause is mended, \`longhaul resume ${run.id}\` goes on from the last good step.`;
  }
  if (run.status !== 'stopped') return undefined;
  const limit = run.stopReason && limitOf[run.stopReason];
  return `Nothing is lost. \`longhaul resume ${run.id}${limit ? ` --limit ${limit}=…` : ''}\` goes on from here.`;
}

const limitOf: Partial<Record<NonNullable<Run['stopReason']>, string>> = {
  limit_steps: 'maxSteps',
  limit_tokens: 'maxTokens',
  limit_cost: 'maxCostUsd',
  limit_tool_calls: 'maxToolCalls',
  limit_time: 'deadline',
};

export function runDetails(run: Run, style: Style): string {
  const { usage, limits } = run;
  const fields: [string, string | undefined][] = [
    ['run', run.id],
    ['agent', `${run.agent}@${shortVersion(run.agentVersion)}`],
    ['status', paintStatus(run.status, style) + (why(run) === undefined ? '' : ` ${oneLine(why(run) ?? '')}`)],
    ['approvals', questions(run)],
    ['unknown', run.unknownCalls?.map((c) => `${c.summary} at step ${c.step}${c.asked ? ' (asked)' : ''}`).join('   ')],
    ['created', `${moment(run.createdAt)} (${relative(run.createdAt)})`],
    ['starts', run.startAt && run.startedAt === undefined ? moment(run.startAt) : undefined],
    ['ended', run.endedAt && `${moment(run.endedAt)} (${relative(run.endedAt)})`],
    ['steps', `${run.steps} of ${limits.maxSteps}`],
    ['tool calls', `${usage.toolCalls} of ${limits.maxToolCalls}`],
    [
      'tokens',
      `${count(totalTokens(usage))} of ${count(limits.maxTokens)} (in ${count(usage.inputTokens)}, out ${count(usage.outputTokens)}, ` +
        `cache read ${count(usage.cacheReadTokens)}, cache write ${count(usage.cacheWriteTokens)})`,
    ],
    ['cost', `${usd(run.costUsd)} of ${usd(limits.maxCostUsd)}`],
    ['deadline', moment(limits.deadline)],
    ['parent', run.parentRunId],
    [
      'metadata',
      Object.entries(run.metadata)
        .map(([k, v]) => `${k}=${v}`)
        .join('  ') || undefined,
    ],
    ['temporal', run.links.temporal],
    ['console', run.links.console],
  ];
  const lines = fields.flatMap(([name, value]) =>
    value === undefined ? [] : [`${style.dim(name.padEnd(10))}  ${harmless(value.replaceAll('\n', ' '))}`],
  );
  return `${lines.join('\n')}\n`;
}
