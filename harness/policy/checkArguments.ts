// Are a call's arguments what the tool's schema says? If not, a text from which the model can repair the call.
import type { ErrorObject } from 'ajv';
import type { ToolDefinition } from '../../contracts/tools.js';
import { nearest } from '../nearest.js';
import { argumentNames } from './argumentNames.js';
import { compileSchema, pathIn } from './compileSchema.js';
import { messageOf, notPlain } from './plainJson.js';
import { oneLine } from './summary.js';

export { compileSchema } from './compileSchema.js';

/** Of the JSON of the arguments, in bytes. */
export const MAX_ARGUMENTS_BYTES = 1024 * 1024;
/** Characters of all problems together, and of the list of arguments. */
const MAX_PROBLEMS = 900;
const MAX_LIST = 400;

export type ArgumentsCheck = { ok: true } | { ok: false; message: string };

const refuse = (problem: string): ArgumentsCheck => ({ ok: false, message: `${problem} ${NOTHING}` });

const NOTHING = 'Nothing was executed; correct the arguments and call again.';

export function checkArguments(tool: Pick<ToolDefinition, 'name' | 'input'>, args: unknown): ArgumentsCheck {
  if (typeof args !== 'object' || args === null || Array.isArray(args)) {
    return refuse(`The arguments of ${tool.name} must be a JSON object. ${takes(tool)}`);
  }
  const odd = notPlain(args);
  if (odd) {
    const where = odd.path.length === 0 ? 'arguments' : odd.path.map(String).join('.');
    return refuse(`Wrong arguments: ${cut(oneLine(`${where}: ${odd.message}`), MAX_PROBLEMS)}.`);
  }
  const size = Buffer.byteLength(JSON.stringify(args));
  if (size > MAX_ARGUMENTS_BYTES) {
    return refuse(`The arguments have ${size} bytes; at most ${MAX_ARGUMENTS_BYTES} are taken. Send less.`);
  }
  const problems = schemaProblems(tool, args);
  return problems === undefined ? { ok: true } : refuse(`Wrong arguments: ${problems}. ${takes(tool)}`);
}

function schemaProblems(tool: Pick<ToolDefinition, 'input'>, args: object): string | undefined {
  let errors: readonly ErrorObject[];
  try {
    const validate = compileSchema(tool.input);
    if (validate(args)) return undefined;
    errors = validate.errors ?? [];
  } catch (err) {
    return cut(oneLine(`the tool's own schema cannot be used (${messageOf(err)}), use another tool`), 300);
  }
  // A choice is explained by its own line; the errors inside of each alternative contradict each other.
  const texts = new Set(errors.slice(0, 50).map((err) => describe(err, args, tool.input)));
  return cut(oneLine([...texts].join('; ')), MAX_PROBLEMS) || 'they do not match the schema';
}

function describe(err: ErrorObject, args: object, schema: Record<string, unknown>): string {
  const path = pathIn(args, err.instancePath);
  const field = (name: unknown): string => [...path, String(name).slice(0, 100)].map(String).join('.');
  const where = path.length === 0 ? 'the arguments' : path.map(String).join('.');
  const params = err.params as Record<string, unknown>;
  switch (err.keyword) {
    case 'required':
      return `${field(params['missingProperty'])} is missing`;
    case 'additionalProperties':
    case 'unevaluatedProperties': {
      const name = params['additionalProperty'] ?? params['unevaluatedProperty'];
      const known = path.length === 0 ? argumentNames(schema) : [];
      return `${field(name)} is not an argument${nearest(String(name).slice(0, 100), known)}`;
    }
    case 'enum':
      return `${where} must be one of ${cut(JSON.stringify(params['allowedValues']), 300)}`;
    case 'const':
      return `${where} must be ${cut(JSON.stringify(params['allowedValue']), 300)}`;
    default:
      return `${where} ${err.message ?? 'is not valid'}`;
  }
}

function takes(tool: Pick<ToolDefinition, 'name' | 'input'>): string {
  const names = argumentNames(tool.input);
  return `${tool.name} takes: ${cut(names.join(', '), MAX_LIST) || 'no arguments'}.`;
}

const cut = (text: string, max: number): string =>
  text.length <= max ? text : `${text.slice(0, max).toWellFormed()}…`;
