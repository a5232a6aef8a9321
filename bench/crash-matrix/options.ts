// The command line of the crash matrix.
import { parseArgs } from 'node:util';
import { PATTERN_LENGTH } from './scenario.js';
import { type Victim, victims } from './world.js';

export interface Options {
  steps: number;
  victims: Victim[];
  every: boolean;
  jsonFile: string | undefined;
}

export const HELP = `npm run crash-matrix -- [options]

Plays a scripted run undisturbed, then again and again, and kills a process with SIGKILL after every commit of its
event log and inside every call to the model and to a tool, before and after its effect. Each killed run must end like
the undisturbed one: same outcome, same conversation, every effect once, no finished call made again, an unbroken log.
Ends with 1 when one does not.

  --steps N       steps of the run that call tools, at least ${PATTERN_LENGTH}; default 200 (hours; 16 take some minutes each)
  --kill A,B      of ${victims.join(', ')}; default: all
  --points WHICH  every (default), or kinds: one point of each kind
  --json FILE     every kill and every difference
  --help          this text`;

/** A text to print instead, or what was asked for. Throws on what it does not understand. */
export function readOptions(args: readonly string[]): { help: string } | Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      steps: { type: 'string', default: '200' },
      kill: { type: 'string', default: victims.join(',') },
      points: { type: 'string', default: 'every' },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return { help: HELP };
  const steps = Number(values.steps);
  if (!Number.isInteger(steps) || steps < PATTERN_LENGTH || steps > 5000) {
    throw new Error(`--steps takes a whole number from ${PATTERN_LENGTH} to 5000, not ${values.steps}.`);
  }
  if (values.points !== 'every' && values.points !== 'kinds') {
    throw new Error(`--points takes every or kinds, not ${values.points}.`);
  }
  return { steps, victims: victimsOf(values.kill), every: values.points === 'every', jsonFile: values.json };
}

function victimsOf(text: string): Victim[] {
  return text.split(',').map((name) => {
    const victim = victims.find((v) => v === name.trim());
    if (!victim) throw new Error(`--kill: there is no ${name}. There are: ${victims.join(', ')}.`);
    return victim;
  });
}
