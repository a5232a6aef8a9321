// JSON Schema of a tool's arguments, compiled once. Without $schema it is draft 2020-12, as the Messages API takes it.
import Ajv, { type ErrorObject, type Options, type ValidateFunction } from 'ajv';
import Ajv2019 from 'ajv/dist/2019.js';
import Ajv2020 from 'ajv/dist/2020.js';
import type { JsonSchema } from '../../contracts/tools.js';
import { digestOf } from '../canonical.js';
import { messageOf } from './plainJson.js';

const MAX_CACHED = 1000;

const OPTIONS: Options = {
  strict: false,
  allErrors: true,
  validateFormats: false,
  logger: false,
  addUsedSchema: false,
  ownProperties: true, // `constructor` and the like are not arguments that every object has
};

const compiled = new Map<string, ValidateFunction>();

/** Throws what ajv throws for a schema that is none. */
export function compileSchema(schema: JsonSchema): ValidateFunction {
  const key = digestOf(schema);
  const known = compiled.get(key);
  if (known) return known;
  // Such a validator answers with a promise: every argument would pass, and its rejection would end the process.
  if (schema['$async'] !== undefined) throw new TypeError('$async is not supported; remove it');
  const problem = metaProblem(schema);
  if (problem !== undefined) throw new Error(`schema is invalid: ${problem}`);
  // One of its own: what a schema calls itself is nobody else's business.
  const validate = new (draftOf(schema))({ ...OPTIONS, validateSchema: false }).compile(schema);
  const [oldest] = compiled.keys();
  if (compiled.size >= MAX_CACHED && oldest !== undefined) compiled.delete(oldest);
  compiled.set(key, validate);
  return validate;
}

export interface SchemaProblem {
  path: PropertyKey[];
  message: string;
}

/** Where in the schema the mistake is and what it is; undefined for a schema that compiles. */
export function schemaProblem(schema: JsonSchema): SchemaProblem | undefined {
  try {
    compileSchema(schema);
    return undefined;
  } catch (err) {
    const [first] = metaErrors(schema);
    if (first) return { path: pathIn(schema, first.instancePath), message: `no valid JSON Schema: ${metaText(first)}` };
    return { path: [], message: `no valid JSON Schema: ${messageOf(err)}` };
  }
}

function metaErrors(schema: JsonSchema): readonly ErrorObject[] {
  try {
    const checker = checkerFor(schema);
    return checker.validateSchema(schema) === false ? (checker.errors ?? []) : [];
  } catch {
    return []; // an unknown $schema; the error of compile says so
  }
}

/** Throws for an unknown $schema. */
function metaProblem(schema: JsonSchema): string | undefined {
  const checker = checkerFor(schema);
  return checker.validateSchema(schema) === false ? checker.errorsText() : undefined;
}

function metaText(err: ErrorObject): string {
  const allowed = (err.params as { allowedValues?: unknown[] }).allowedValues;
  return allowed === undefined ? (err.message ?? err.keyword) : `must be one of ${allowed.join(', ')}`;
}

type Draft = typeof Ajv | typeof Ajv2019 | typeof Ajv2020;

function draftOf(schema: JsonSchema): Draft {
  const draft = typeof schema['$schema'] === 'string' ? schema['$schema'] : '';
  if (draft.includes('draft-07')) return Ajv;
  return draft.includes('2019-09') ? Ajv2019 : Ajv2020;
}

/** Know the schema of schemas, which takes longer to compile than most tools'. They keep nothing of what they check. */
const checkers = new Map<Draft, Ajv>();

function checkerFor(schema: JsonSchema): Ajv {
  const draft = draftOf(schema);
  const checker = checkers.get(draft) ?? new draft(OPTIONS);
  checkers.set(draft, checker);
  return checker;
}
/** A JSON pointer as a path, with numbers where the value has a list. */
export function pathIn(value: unknown, pointer: string): PropertyKey[] {
  let node = value;
  return pointer
    .split('/')
    .slice(1)
    .map((part) => {
      const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
      const key = Array.isArray(node) ? Number(name) : name;
      node = typeof node === 'object' && node !== null ? Reflect.get(node, key) : undefined;
      return key;
    });
}
