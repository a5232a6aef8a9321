// What a condition may look at, and how numbers of JSON (doubles) and numbers in conditions (often integers) mix.
import { Environment } from '@marcbachmann/cel-js';
import type { CelType } from './celTypes.js';

/** Fields of `run`, and everything else but `arguments`. */
export const RUN_FIELDS = { steps: 'double', toolCalls: 'double', costUsd: 'double', metadata: 'map<string, string>' };
export const VARIABLES = ['tool', 'effect', 'external', 'arguments', 'run', 'agent', 'tenant', 'now'];

/** `arguments` is an object with typed fields, or a type by name. */
export function environmentFor(args: CelType): Environment {
  const env = base.clone();
  return typeof args === 'string'
    ? env.registerVariable('arguments', args)
    : env.registerVariable('arguments', { schema: args });
}

function baseEnvironment(): Environment {
  const env = new Environment()
    .registerVariable('tool', 'string')
    .registerVariable('effect', 'string')
    .registerVariable('external', 'bool')
    .registerVariable('agent', 'string')
    .registerVariable('tenant', 'string')
    .registerVariable('now', 'google.protobuf.Timestamp')
    .registerVariable('run', { schema: RUN_FIELDS });
  // CEL compares 50.5 > 50 but has no 50.5 == 50 and no 50.5 * 2; in JSON there is only one kind of number.
  env.registerOperator('double == int: bool', (a: number, b: bigint) => a === Number(b));
  for (const [sign, calculate] of Object.entries(ARITHMETIC)) {
    env.registerOperator(`double ${sign} int: double`, (a: number, b: bigint) => calculate(a, Number(b)));
    env.registerOperator(`int ${sign} double: double`, (a: bigint, b: number) => calculate(Number(a), b));
  }
  env.registerOperator('double % double: double', (a: number, b: number) => a % b);
  return env;
}

const ARITHMETIC: Record<string, (a: number, b: number) => number> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
};

const base = baseEnvironment();
