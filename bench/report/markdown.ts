// The whole report as Markdown, as it is kept in docs/bench/.
import type { Report } from './report.js';
import { figuresHead, figuresRows } from './figuresTable.js';
import { machineText } from './machine.js';
import { peersHead, peersRows } from './peersTable.js';
import { stepsHead, stepsRows } from './stepsTable.js';
import { markdownTable } from './table.js';

export function markdownReport(
  { date, machine, options, contenders, results, figures }: Report,
  chart: string,
): string {
  const titleOf = (name: string): string => contenders.find((c) => c.name === name)?.title ?? name;
  const sections = [
    `# Benchmark of ${date.slice(0, 10)}`,
    `${machineText(machine)}.\n\`npm run bench${options === '' ? '' : ` -- ${options}`}\`; what is measured, and how to read it: [benchmarks.md](../benchmarks.md).`,
    `![Milliseconds a step](${chart})`,
    '## Figures to reach',
    markdownTable(figuresHead, figuresRows(figures)),
    '## Side by side',
    'The loops with empty activities make no call: their times are whole, the others are over no durability.',
    markdownTable(peersHead(contenders), peersRows(contenders, results)),
    ...(results.steps
      ? ['## A step in detail', markdownTable(stepsHead, stepsRows(results.steps.samples, titleOf))]
      : []),
    ...recovery(results),
    ...waiting(results),
  ];
  return `${sections.join('\n\n')}\n`;
}

function recovery({ recovery: r }: Report['results']): string[] {
  if (!r) return [];
  const ms = (s: { median: number; min: number; max: number }): string =>
    `${s.median.toFixed(0)} (${s.min.toFixed(0)}–${s.max.toFixed(0)})`;
  return [
    '## kill -9 of a worker in a model call',
    markdownTable(
      ['ms, median (min–max)', 'to the call made again', "to the next step's call"],
      [
        ['the only worker, started again at once', ms(r.onlyWorker.toFirstCall), ms(r.onlyWorker.toNextStep)],
        ['less process start', ms(r.onlyWorker.lessProcessStart), ''],
        ['a second worker alive', ms(r.secondWorker.toFirstCall), ms(r.secondWorker.toNextStep)],
      ],
    ),
  ];
}

function waiting({ waiting: w }: Report['results']): string[] {
  if (!w) return [];
  const roles = ['worker', 'api', 'temporal', 'postgres'] as const;
  const row = (name: string, idle: typeof w.before): string[] => [
    name,
    ...roles.map(
      (role) => `${(idle.cpuMsPerSecond[role] ?? 0).toFixed(1)} / ${(idle.memoryMiB[role] ?? 0).toFixed(0)}`,
    ),
  ];
  return [
    `## ${w.runs} runs waiting for approvals`,
    markdownTable(
      ['ms of CPU a second / MiB', ...roles],
      [
        row('nothing waits', w.before),
        row('they wait, with the worker that brought them there', w.after),
        row('they wait, with a worker started since', w.freshWorker),
      ],
    ),
  ];
}
