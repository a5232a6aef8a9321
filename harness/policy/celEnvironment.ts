// What a condition may look at, and how numbers of JSON (doubles) and numbers in conditions (often integers) mix.
import { Environment } from '@marcbachmann/cel-js';
import type { CelType } from './celTypes.js';

/** Variables with fields of their own, beside `arguments` and `provenance`. */
export const FIELDS: Readonly<Record<string, Record<string, string>>> = {
  run: { steps: 'double', toolCalls: 'double', costUsd: 'double', metadata: 'map<string, string>' },
  // Of all arguments together. named: our side gave every control argument, or a trusted tool did when asked about what
  // our side gave. allowed: a rule of the agent or the tenant that names the tool allows it.
  call: { tainted: 'bool', private: 'bool', named: 'bool', allowed: 'bool' },
};
const PROVENANCE = {
  standing: 'string', // absent, clean, resolved, reported, unknown, tainted
  tainted: 'bool',
  private: 'bool',
  sources: 'list<string>', // user, operator, person, tool:NAME, tool:NAME.FIELD
  labels: 'list<string>',
};
export const VARIABLES = 'tool effect external arguments provenance labels call run agent tenant now'.split(' ');

/** `arguments` is an object with typed fields, or a type by name; `provenance` has the same fields. */
export function environmentFor(args: CelType): Environment {
  const env = base.clone();
  if (typeof args === 'string') {
    return env.registerVariable('arguments', args).registerVariable('provenance', 'map<string, dyn>');
  }
  const provenance = Object.fromEntries(Object.keys(args).map((name) => [name, PROVENANCE]));
  return env.registerVariable('arguments', { schema: args }).registerVariable('provenance', { schema: provenance });
}

function baseEnvironment(): Environment {
  const env = new Environment()
    .registerVariable('tool', 'string')
    .registerVariable('effect', 'string')
    .registerVariable('external', 'bool')
    .registerVariable('agent', 'string')
    .registerVariable('tenant', 'string')
    .registerVariable('now', 'google.protobuf.Timestamp')
    .registerVariable('labels', 'list<string>');
  for (const [name, schema] of Object.entries(FIELDS)) env.registerVariable(name, { schema });
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
