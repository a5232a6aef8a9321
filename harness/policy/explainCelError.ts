// What is wrong with a condition, in terms of the tool's arguments: the name that was meant, the number to write.
import type { ToolDefinition } from '../../contracts/tools.js';
import { nearest } from '../nearest.js';
import { FIELDS, VARIABLES } from './celEnvironment.js';
import { celTypeOf } from './celTypes.js';

interface CelError {
  code?: string | undefined;
  summary?: string | undefined;
  message: string;
  range?: { start: number; end: number } | undefined;
}

export function explainCelError(
  thrown: unknown,
  when: string,
  tool: ToolDefinition | undefined,
  subjects: readonly ToolDefinition[] = [],
): string {
  const err: CelError = thrown instanceof Error ? thrown : { message: String(thrown) };
  const summary = err.summary ?? err.message.split('\n')[0] ?? err.message;
  const at = err.range ? ` (at character ${err.range.start + 1})` : '';
  if (err.code === 'no_such_key') return `${unknownField(err, summary, when, tool, subjects)}${at}`;
  const variable = /^Unknown variable: (\w+)/.exec(summary)?.[1];
  if (variable !== undefined) {
    return `unknown variable ${variable}${nearest(variable, VARIABLES) || ';'} there are ${VARIABLES.join(', ')}${at}`;
  }
  const mixes = /\bdouble\b.*\bint\b|\bint\b.*\bdouble\b/.test(summary);
  const remedy = mixes ? '; numbers of JSON are doubles: write 50.0 for 50' : '';
  const against = tool === undefined ? '' : `, checked against the arguments of ${tool.name}`;
  return `${summary}${remedy}${at}${against}`;
}

function unknownField(
  err: CelError,
  summary: string,
  when: string,
  tool: ToolDefinition | undefined,
  subjects: readonly ToolDefinition[],
): string {
  const name = /No such key: (.+)$/.exec(summary)?.[1] ?? when.slice(err.range?.start, err.range?.end);
  const receiver = /([\w.]+)\.$/.exec(when.slice(0, err.range?.start))?.[1] ?? 'arguments';
  const fields = FIELDS[receiver];
  if (fields !== undefined) {
    const known = Object.keys(fields);
    return `${receiver} has no ${name}${nearest(name, known) || ';'} it has ${known.join(', ')}`;
  }
  if (tool === undefined) return summary;
  const path = receiver.split('.').slice(1);
  const known = fieldsAt(tool, path);
  const what = path.length === 0 ? 'argument' : `argument ${path.join('.')}.`;
  const has = `${tool.name} has no ${what}${path.length === 0 ? ' ' : ''}${name}`;
  const elsewhere = subjects.find((t) => t !== tool && fieldsAt(t, path).includes(name));
  if (elsewhere) {
    return `${has}, and the rule applies to it; give the rule \`tool: ${elsewhere.name}\`, or guard it: has(${receiver}.${name}) && …`;
  }
  return `${has}${nearest(name, known) || ';'} it has ${known.join(', ') || 'none'}`;
}

function fieldsAt(tool: ToolDefinition, path: readonly string[]): string[] {
  let type = celTypeOf(tool.input);
  for (const field of path) {
    if (typeof type === 'string') return [];
    type = type[field] ?? 'dyn';
  }
  return typeof type === 'string' ? [] : Object.keys(type);
}
