// One row per measure and one column per contender, as durable execution engines are usually compared.
import type { Contender, ContenderName } from '../contenders/contender.js';
import type { Results } from '../parts/index.js';
import type { StepSample } from '../parts/steps.js';
import { lengthsOf, medianOf } from './shape.js';
import type { Row } from './table.js';

type Named = Pick<Contender, 'name' | 'title' | 'isEmpty'>;

export const peersHead = (contenders: readonly Named[]): Row => ['', ...contenders.map((c) => c.title)];

export function peersRows(contenders: readonly Named[], results: Results): Row[] {
  const row = (title: string, cell: (contender: Named) => string): Row => [title, ...contenders.map(cell)];
  return [
    ...(results.steps ? stepRows(results.steps.samples, row) : []),
    ...(results.throughput
      ? [
          row('runs/s, 50 in flight, S=10', ({ name }) => text(find(results.throughput, name)?.runsPerSecond)),
          row('start to first call, 50 in flight, ms', ({ name }) =>
            text(find(results.throughput, name)?.firstCallMs.median, 0),
          ),
        ]
      : []),
    ...(results.start
      ? [row('start to first call, alone, ms', ({ name }) => text(find(results.start, name)?.firstCallMs.median))]
      : []),
    ...(results.steps
      ? [
          row('memory after it all, worker, MiB', ({ name }) =>
            text(find(results.steps?.memory, name)?.memoryMiB.worker, 0),
          ),
        ]
      : []),
  ];
}

function stepRows(samples: readonly StepSample[], row: (title: string, cell: (c: Named) => string) => Row): Row[] {
  const lengths = lengthsOf(samples);
  const long = Math.max(...lengths);
  const over = ({ name, isEmpty }: Named, steps: number): number | undefined => {
    const ms = medianOf(samples, name, steps, (s) => s.stepMs);
    const plain = medianOf(samples, 'plain', steps, (s) => s.stepMs);
    if (isEmpty || ms === undefined) return ms;
    return plain === undefined ? undefined : ms - plain;
  };
  const cpu = (name: ContenderName, steps: number) =>
    medianOf(samples, name, steps, ({ cpuMs }) => Object.values(cpuMs).reduce((sum, ms) => sum + ms, 0));
  const each = (value: (steps: number) => number | undefined, digits = 1): string =>
    lengths.map((steps) => text(value(steps), digits)).join(' / ');
  const S = `S=${lengths.join(' / ')}`;
  return [
    row(`ms a step over no durability, ${S}`, (c) => each((steps) => over(c, steps))),
    row(`CPU a step, application and servers, ms, ${S}`, ({ name }) => each((steps) => cpu(name, steps))),
    row(`PostgreSQL's log, KB a step, ${S}`, ({ name }) =>
      name === 'longhaul' || name === 'insert'
        ? each((steps) => medianOf(samples, name, steps, (s) => s.walBytes / s.steps / 1000))
        : '',
    ),
    row(`database growth, KB a step, S=${long}`, ({ name }) =>
      text(medianOf(samples, name, long, (s) => s.databaseBytes && s.databaseBytes / s.steps / 1000)),
    ),
    row(`Temporal history, bytes a step, ${S}`, ({ name }) =>
      each((steps) => medianOf(samples, name, steps, (s) => s.history && s.history.bytes / s.steps), 0),
    ),
    row(`Temporal events / workflow tasks a step, S=${long}`, ({ name }) => {
      const per = (value: (s: StepSample) => number | undefined) => text(medianOf(samples, name, long, value));
      const events = per((s) => s.history && s.history.events / s.steps);
      return events === '' ? '' : `${events} / ${per((s) => s.history && s.history.workflowTasks / s.steps)}`;
    }),
  ];
}

const find = <T extends { contender: ContenderName }>(list: readonly T[] | undefined, name: ContenderName) =>
  list?.find((entry) => entry.contender === name);

const text = (value: number | undefined, digits = 1): string => value?.toFixed(digits) ?? '';
