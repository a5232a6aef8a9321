// One CEL condition, type-checked against the argument schema of every tool it can apply to.
import type { ASTNode, Environment } from '@marcbachmann/cel-js';
import type { ToolDefinition } from '../../contracts/tools.js';
import { environmentFor } from './celEnvironment.js';
import { type CelType, celTypeOf } from './celTypes.js';
import { explainCelError } from './explainCelError.js';

export type Condition = (context: Record<string, unknown>) => unknown;

export type Conditions = { ok: true; of: Map<string, Condition> } | { ok: false; message: string };

/** Environments by tool, kept over the rules of one policy: making one costs more than checking a condition. */
export type Environments = Map<string, Environment>;

export function compileConditions(
  when: string,
  subjects: readonly ToolDefinition[],
  environments: Environments = new Map(),
  /** Of rules for whatever agent: what none of its tools has may be asked about with has(). */
  forAnyAgent = false,
): Conditions {
  const loose = environmentFor('dyn');
  let guards: string[][];
  try {
    guards = guardsIn(loose.parse(when).ast);
  } catch (err) {
    return { ok: false, message: explainCelError(err, when, undefined) };
  }
  const wrong = guards.find(
    (guard) => (guard[0] === 'run' || guard[0] === 'call') && check(loose, guard.join('.'), undefined, []),
  );
  if (wrong) return { ok: false, message: `${check(loose, wrong.join('.'), undefined, [])}; has() would be false` };
  const misspelt =
    forAnyAgent || subjects.length === 0 ? undefined : guards.find((guard) => !subjects.some((t) => has(t, guard)));
  if (misspelt) {
    const found = check(environmentFor(celTypeOf(subjects[0]?.input)), misspelt.join('.'), subjects[0], []);
    return { ok: false, message: `${found ?? `unknown argument ${misspelt.join('.')}`}; has() would always be false` };
  }
  if (subjects.length === 0) {
    const message = check(loose, when, undefined, []);
    if (message !== undefined) return { ok: false, message };
  }
  const of = new Map<string, Condition>();
  for (const tool of subjects) {
    const env = environmentOf(tool, guards, environments);
    const message = check(env, when, tool, subjects);
    if (message !== undefined) return { ok: false, message };
    of.set(tool.name, env.parse(when));
  }
  return { ok: true, of };
}

/** What is wrong with the condition, or undefined. */
function check(
  env: Environment,
  when: string,
  tool: ToolDefinition | undefined,
  subjects: readonly ToolDefinition[],
): string | undefined {
  const checked = env.check(when);
  if (!checked.valid) return explainCelError(checked.error, when, tool, subjects);
  if (checked.type === 'bool' || checked.type === 'dyn') return undefined;
  return `the condition must be true or false, but it is of type ${String(checked.type)}; compare it with something`;
}

function environmentOf(tool: ToolDefinition, guards: readonly string[][], known: Environments): Environment {
  const missing = guards.filter((guard) => !has(tool, guard));
  const key = JSON.stringify([tool.name, missing]);
  const hit = known.get(key);
  if (hit) return hit;
  const env = environmentFor(missing.reduce<CelType>((type, guard) => withField(type, guard), celTypeOf(tool.input)));
  known.set(key, env);
  return env;
}

/** Does the schema of the tool know this path, or say too little to tell? */
function has(tool: ToolDefinition, [root, ...fields]: readonly string[]): boolean {
  if (root !== 'arguments') return true;
  let type: CelType | undefined = celTypeOf(tool.input);
  for (const field of fields) {
    if (typeof type === 'string') return true;
    type = type !== undefined && Object.hasOwn(type, field) ? type[field] : undefined;
    if (type === undefined) return false;
  }
  return true;
}

/** The same type where a guarded path that the tool lacks may be named: has() is false there, so it is never read. */
function withField(type: CelType, [, ...fields]: readonly string[]): CelType {
  const [field, ...rest] = fields;
  if (typeof type === 'string' || field === undefined) return type;
  const inner = Object.hasOwn(type, field) ? type[field] : undefined;
  if (inner === undefined) return { ...type, [field]: 'dyn' };
  return { ...type, [field]: withField(inner, fields.length === 1 ? [] : [field, ...rest]) };
}

/** What is asked about in has(…), as paths: ['arguments', 'amountUsd'], ['run', 'metadata', 'tier']. */
function guardsIn(node: ASTNode): string[][] {
  if (node.op === 'call' && node.args[0] === 'has') {
    const [subject] = node.args[1];
    const path = subject && pathOf(subject);
    return path === undefined ? [] : [path];
  }
  return nodesIn(node.args).flatMap(guardsIn);
}

function pathOf(node: ASTNode): string[] | undefined {
  if (node.op === 'id') return [node.args];
  if (node.op !== '.') return undefined;
  const [receiver, field] = node.args;
  const path = pathOf(receiver);
  return path && [...path, field];
}

/** The nodes directly below, whatever the operator keeps them in. */
function nodesIn(args: unknown): ASTNode[] {
  if (Array.isArray(args)) return args.flatMap(nodesIn);
  return isNode(args) ? [args] : [];
}

const isNode = (value: unknown): value is ASTNode =>
  typeof value === 'object' && value !== null && 'op' in value && 'args' in value;
