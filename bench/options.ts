// The command line of the benchmark.
import { parseArgs } from 'node:util';
import { type ContenderName, contenderNames } from './contenders/contender.js';
import { type PartName, partNames, parts } from './parts/index.js';
import { type Settings, full, quick } from './settings.js';

export interface Options {
  settings: Settings;
  quick: boolean;
  parts: PartName[];
  contenders: ContenderName[];
  /** Longhaul's worker writes a CPU profile into this folder when it ends. */
  profileDir: string | undefined;
  /** Keep the report under docs/bench/ as well. */
  publish: boolean;
}

export const HELP = `npm run bench -- [options]

Measures Longhaul, and in the same run a plain loop, one INSERT per operation, and Temporal without Longhaul.
Takes about 40 minutes; docs/benchmarks.md explains what is measured and how to read it.

  --quick              a short form of a few minutes
  --only NAME,…        parts to run; default: all but those marked *
${partNames.map((name) => `                         ${name.padEnd(11)}${parts[name].what}`).join('\n')}
  --contenders NAME,…  ${contenderNames.join(', ')}; default: all
  --steps N,…          lengths of runs, instead of ${full.steps.join(',')}
  --repetitions N      of each length and contender, instead of ${full.repetitions}
  --profile DIR        Longhaul's worker leaves a CPU profile there (Chrome's developer tools open it)
  --publish            keep the report in docs/bench/ as well
  --help               this text

The result is printed, and kept in bench/results/ as latest.json, latest.md and latest.svg.`;

/** A text to print instead, or what was asked for. Throws on what it does not understand. */
export function readOptions(args: readonly string[]): { help: string } | Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      contenders: { type: 'string' },
      steps: { type: 'string' },
      repetitions: { type: 'string' },
      profile: { type: 'string' },
      publish: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return { help: HELP };
  const settings = { ...(values.quick ? quick : full) };
  if (values.steps !== undefined) settings.steps = values.steps.split(',').map((n) => positive('--steps', n));
  if (values.repetitions !== undefined) settings.repetitions = positive('--repetitions', values.repetitions);
  const byDefault = partNames.filter((name) => !parts[name].onRequest);
  return {
    settings,
    quick: values.quick,
    parts: names('--only', values.only, partNames) ?? byDefault,
    contenders: names('--contenders', values.contenders, contenderNames) ?? [...contenderNames],
    profileDir: values.profile,
    publish: values.publish,
  };
}

function names<T extends string>(option: string, given: string | undefined, known: readonly T[]): T[] | undefined {
  if (given === undefined) return undefined;
  return given.split(',').map((name) => {
    const found = known.find((k) => k === name.trim());
    if (found === undefined) throw new Error(`${option}: there is no ${name}. There are: ${known.join(', ')}.`);
    return found;
  });
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`${option}: ${text} is not a whole number above 0.`);
}
