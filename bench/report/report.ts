// All that a run of the benchmark leaves: in the terminal, as JSON, as Markdown, as a picture.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Contender } from '../contenders/contender.js';
import type { Results } from '../parts/index.js';
import { chartOf } from './chart.js';
import { type Figure, figuresOf } from './figures.js';
import { figuresHead, figuresRows } from './figuresTable.js';
import { type Machine, machineText } from './machine.js';
import { markdownReport } from './markdown.js';
import { peersHead, peersRows } from './peersTable.js';
import { stepsHead, stepsRows } from './stepsTable.js';
import { textTable } from './table.js';

export interface Report {
  date: string;
  machine: Machine;
  /** As given on the command line. */
  options: string;
  contenders: Pick<Contender, 'name' | 'title' | 'isEmpty'>[];
  results: Results;
  figures: Figure[];
}

export function makeReport(
  { contenders }: { contenders: readonly Contender[] },
  machine: Machine,
  options: readonly string[],
  results: Results,
): Report {
  return {
    date: new Date().toISOString(),
    machine,
    options: options.join(' '),
    contenders: contenders.map(({ name, title, isEmpty }) => ({ name, title, isEmpty })),
    results,
    figures: figuresOf(results),
  };
}

export function printReport({ machine, contenders, results, figures }: Report): void {
  const titleOf = (name: string): string => contenders.find((c) => c.name === name)?.title ?? name;
  console.log(`\n${machineText(machine)}`);
  if (results.steps) console.log(`\n${textTable(stepsHead, stepsRows(results.steps.samples, titleOf))}`);
  console.log(`\n${textTable(peersHead(contenders), peersRows(contenders, results))}`);
  console.log(`\n${textTable(figuresHead, figuresRows(figures))}`);
}

/** Returns where it is. */
export function keepReport(report: Report, folder: string, name: string): string {
  mkdirSync(folder, { recursive: true });
  const write = (ending: string, text: string): void => writeFileSync(path.join(folder, `${name}.${ending}`), text);
  write('json', `${JSON.stringify(report, null, 1)}\n`);
  write('md', markdownReport(report, `${name}.svg`));
  write('svg', chartOf(report));
  return path.join(folder, `${name}.md`);
}
