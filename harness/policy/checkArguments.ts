// Are a call's arguments what the tool's schema says? If not, a text from which the model can repair the call.
import Ajv, { type ErrorObject, type ValidateFunction } from 'ajv';
import type { JsonSchema, ToolDefinition } from '../../contracts/tools.js';
import { digestOf } from '../canonical.js';

/** Of the canonical JSON of the arguments, in bytes. */
export const MAX_ARGUMENTS_BYTES = 1024 * 1024;
const MAX_MESSAGE = 1500;
const MAX_CACHED = 1000;

const compiled = new Map<string, ValidateFunction>();

/** Throws what ajv throws for a schema that is none. */
export function compileSchema(schema: JsonSchema): ValidateFunction {
  const key = digestOf(schema);
  const known = compiled.get(key);
  if (known) return known;
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false, logger: false, addUsedSchema: false });
  const validate = ajv.compile(schema);
  if (compiled.size >= MAX_CACHED) compiled.delete(compiled.keys().next().value as string);
  compiled.set(key, validate);
  return validate;
}

export type ArgumentsCheck = { ok: true } | { ok: false; message: string };

export function checkArguments(tool: Pick<ToolDefinition, 'name' | 'input'>, args: unknown): ArgumentsCheck {
  if (typeof args !== 'object' || args === null || Array.isArray(args)) {
    return { ok: false, message: `The arguments of ${tool.name} must be a JSON object. Nothing was executed.` };
  }
  const size = Buffer.byteLength(JSON.stringify(args));
  if (size > MAX_ARGUMENTS_BYTES) {
    return {
      ok: false,
      message: `The arguments have ${size} bytes; at most ${MAX_ARGUMENTS_BYTES} are taken. Nothing was executed.`,
    };
  }
  const validate = compileSchema(tool.input);
  if (validate(args)) return { ok: true };
  const problems = [...new Set((validate.errors ?? []).map(describe))].join('; ');
  const properties = Object.keys((tool.input['properties'] as object | undefined) ?? {});
  const expected = `${tool.name} takes: ${properties.join(', ') || 'no arguments'}.`;
  return {
    ok: false,
    message: `Wrong arguments: ${problems.slice(0, MAX_MESSAGE)}. ${expected} Nothing was executed; correct them and call again.`,
  };
}

function describe(err: ErrorObject): string {
  const where = err.instancePath === '' ? 'arguments' : err.instancePath.slice(1).replaceAll('/', '.');
  const params = err.params as Record<string, unknown>;
  switch (err.keyword) {
    case 'required':
      return `${String(params['missingProperty'])} is missing`;
    case 'additionalProperties':
      return `${String(params['additionalProperty'])} is not an argument`;
    case 'enum':
      return `${where} must be one of ${JSON.stringify(params['allowedValues'])}`;
    default:
      return `${where} ${err.message ?? 'is not valid'}`;
  }
}
