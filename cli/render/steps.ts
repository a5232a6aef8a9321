// The steps of a run as a table: one line per model call, its tool calls below it.
import type { StepAnswer } from '../shapes.js';
import { count, length, usd } from './format.js';
import { type Style } from './style.js';
import { type Column, table } from './table.js';

interface Line {
  step: string;
  what: string;
  outcome: string;
  attempts: number;
  durationMs: number | null;
  tokens: string;
  cost: string;
}

export function stepTable(steps: readonly StepAnswer[], style: Style, width: number): string {
  const columns: Column<Line>[] = [
    { title: 'STEP', value: (l) => l.step, align: 'right' },
    { title: 'WHAT', value: (l) => l.what, flexible: true },
    { title: 'OUTCOME', value: (l) => l.outcome },
    {
      title: 'ATTEMPTS',
      value: (l) => String(l.attempts),
      align: 'right',
      paint: (t, l) => (l.attempts > 1 ? style.yellow(t) : t),
    },
    { title: 'TIME', value: (l) => (l.durationMs === null ? '' : length(l.durationMs)), align: 'right' },
    { title: 'TOKENS', value: (l) => l.tokens, align: 'right' },
    { title: 'COST', value: (l) => l.cost, align: 'right' },
  ];
  return table(steps.flatMap(linesOf), columns, { width, style });
}

const linesOf = (step: StepAnswer): Line[] => [
  {
    step: String(step.step),
    what: `model ${step.model}`,
    outcome: step.stopReason ?? 'no reply yet',
    attempts: step.attempts,
    durationMs: step.durationMs,
    tokens: count(Object.values(step.usage).reduce((sum, n) => sum + n, 0)),
    cost: usd(step.costUsd),
  },
  ...step.toolCalls.map((call) => ({
    step: '',
    what: `  ${call.summary}`,
    outcome: call.outcome ?? (call.verdict === 'ask' || call.doubt !== undefined ? 'waits for a person' : 'under way'),
    attempts: call.attempts,
    durationMs: call.durationMs,
    tokens: '',
    cost: '',
  })),
];
