// The command line of the crash matrix.
import { parseArgs } from 'node:util';
import { type Choice, HINT, readChoice } from './choice.js';
import { PATTERN_LENGTH } from './scenario.js';
import { type Victim, victims } from './world.js';

export interface Options {
  steps: number;
  victims: Victim[];
  choice: Choice;
  jsonFile: string | undefined;
  publish: boolean;
}

const FEWEST = PATTERN_LENGTH;
const MOST = 5000;

export const HELP = `npm run crash-matrix -- [options]

Plays a scripted run undisturbed, then again and again, and kills a process with SIGKILL on both sides of every commit
of its event log and inside every call to the model and to a tool, before and after its effect. Each killed run must
end like the undisturbed one: same outcome, same conversation, same log, every effect once, no finished call made
again. Ends with 1 when one does not, or when a point was not met. docs/crash-matrix.md says how to read the tables.

  --steps N       steps of the run that call tools, from ${FEWEST}; default 200 (an hour or more; 20 take some five minutes)
  --kill A,B      of ${victims.join(', ')}; default: all
  --points WHICH  every (default); kinds: one point of each kind; sample:N: so many, spread over the whole run, with
                  each kind among them; N..M: by their numbers, each in a run of its own, to look closer at a difference
  --json FILE     every kill and every difference
  --publish       keep the tables in docs/bench/crash-matrix.md as well as in bench/results/
  --help          this text

It needs no key and leaves nothing running; Ctrl-C ends it cleanly.`;

/** A text to print instead, or what was asked for. Throws on what it does not understand. */
export function readOptions(args: readonly string[]): { help: string } | Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      steps: { type: 'string', default: '200' },
      kill: { type: 'string', default: victims.join(',') },
      points: { type: 'string', default: 'every' },
      json: { type: 'string' },
      publish: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return { help: HELP };
  const steps = Number(values.steps);
  if (!Number.isInteger(steps) || steps < FEWEST || steps > MOST) {
    throw new Error(`--steps takes a whole number from ${FEWEST} to ${MOST}, not ${values.steps}.`);
  }
  return {
    steps,
    victims: victimsOf(values.kill),
    choice: choiceOf(values.points),
    jsonFile: values.json,
    publish: values.publish,
  };
}

function choiceOf(text: string): Choice {
  const choice = readChoice(text);
  if (choice !== undefined) return choice;
  throw new Error(`--points takes ${HINT}, not ${text}.`);
}

function victimsOf(text: string): Victim[] {
  return text.split(',').map((name) => {
    const victim = victims.find((v) => v === name.trim());
    if (!victim) throw new Error(`--kill: there is no ${name}. There are: ${victims.join(', ')}.`);
    return victim;
  });
}
