// How a user declares a tool in a module of their own. Wrong declarations throw when the module is loaded.
import { z } from 'zod';
import { duration, durationMs } from '../contracts/duration.js';
import {
  type JsonSchema,
  type ToolDefinition,
  type ToolEffect,
  type ToolLabel,
  toolDefaults,
  toolDefinition,
} from '../contracts/tools.js';
import { nearest } from '../harness/nearest.js';
import { compileSchema } from '../harness/policy/checkArguments.js';
import { type CompletedCall, type Reconciled, type ToolContext, ToolError, type ToolExecutor } from './execution.js';
import { jsonSchemaOf } from './inputSchema.js';
import { resultOf } from './result.js';

type Input = z.ZodType | JsonSchema;

/** What `execute` is given: what zod makes of the arguments, or an object that fits the JSON Schema. */
export type ToolArguments<I extends Input> = I extends z.ZodType ? z.output<I> : Record<string, unknown>;

/** What `execute` may return: text, blocks, a ToolResult, or anything that has a JSON form. */
export type ToolReturn = unknown;

export interface ToolSpec<I extends Input> {
  name: string;
  description: string;
  /** A zod object, or a JSON Schema of type object. */
  input: I;
  /** Default: `irreversible`. */
  effect?: ToolEffect;
  /** Default: `['untrusted']`. */
  labels?: ToolLabel[];
  controls?: string[];
  external?: boolean;
  /** One attempt, such as `30s`. Default: 60 s. */
  timeout?: string;
  /** In all, where the effect allows more than one. Default: 4. */
  attempts?: number;
  /** Task queue of the workers that have this tool. */
  queue?: string;
  execute(args: ToolArguments<I>, ctx: ToolContext): ToolReturn;
  /** For `reconcilable` tools: asks the destination what became of a key. */
  reconcile?: (idempotencyKey: string, ctx: ToolContext) => Promise<Reconciled>;
  /** Takes a call back, when a person undoes the run. May be asked again under the same key; throws when it cannot. */
  compensate?: (call: CompletedCall, ctx: ToolContext) => ToolReturn;
}

const FIELDS: readonly (keyof ToolSpec<Input>)[] = [
  'name',
  'description',
  'input',
  'effect',
  'labels',
  'controls',
  'external',
  'timeout',
  'attempts',
  'queue',
  'execute',
  'reconcile',
  'compensate',
];

/** Marks tools across copies of this package. */
const BRAND = Symbol.for('longhaul.tool');

export interface DefinedTool extends ToolExecutor {
  readonly [BRAND]: true;
}

export const isDefinedTool = (value: unknown): value is DefinedTool =>
  typeof value === 'object' && value !== null && BRAND in value;

export function defineTool<I extends Input>(spec: ToolSpec<I>): DefinedTool {
  try {
    const schema = isZod(spec.input) ? spec.input : undefined;
    const definition = definitionOf(spec, schema ? jsonSchemaOf(schema) : (spec.input as JsonSchema));
    return {
      [BRAND]: true,
      definition,
      ...(spec.reconcile === undefined ? {} : { reconcile: spec.reconcile }),
      ...compensation(spec),
      async execute(args, ctx) {
        const given = schema ? await parsed(schema, args) : args;
        return resultOf(await spec.execute(given as ToolArguments<I>, ctx));
      },
    };
  } catch (err) {
    throw new TypeError(`defineTool ${JSON.stringify(spec.name)}: ${(err as Error).message}`, { cause: err });
  }
}

function compensation<I extends Input>({ compensate }: ToolSpec<I>): Pick<ToolExecutor, 'compensate'> {
  if (compensate === undefined) return {};
  return { compensate: async (call, ctx) => resultOf(await compensate(call, ctx)) };
}

// Not by class: the module's zod may be another copy than ours.
const isZod = (input: unknown): input is z.ZodType => typeof input === 'object' && input !== null && '_zod' in input;

function definitionOf<I extends Input>(spec: ToolSpec<I>, input: JsonSchema): ToolDefinition {
  const stranger = Object.keys(spec).find((field) => !FIELDS.includes(field as keyof ToolSpec<Input>));
  if (stranger !== undefined) throw new TypeError(`${stranger} is no field${nearest(stranger, FIELDS)}`);
  if (typeof spec.execute !== 'function') throw new TypeError('execute must be a function');
  if (typeof spec.description !== 'string' || spec.description.trim() === '') {
    throw new TypeError('description is missing; the model chooses tools by it');
  }
  if (spec.timeout !== undefined && !duration.safeParse(spec.timeout).success) {
    throw new TypeError(`timeout ${JSON.stringify(spec.timeout)} is no length of time such as 30s or 2m`);
  }
  checkInput(input);
  const made = toolDefinition.safeParse({
    name: spec.name,
    description: spec.description,
    input,
    effect: spec.effect ?? 'irreversible',
    labels: spec.labels ?? ['untrusted'],
    controls: spec.controls ?? [],
    external: spec.external ?? false,
    timeoutMs: spec.timeout === undefined ? toolDefaults.timeoutMs : durationMs(spec.timeout),
    maxAttempts: spec.attempts ?? toolDefaults.maxAttempts,
    source: 'module',
    ...(spec.compensate === undefined ? {} : { compensates: true }),
    ...(spec.queue === undefined ? {} : { queue: spec.queue }),
  });
  if (!made.success) {
    const [issue] = made.error.issues;
    throw new TypeError(`${specField(issue?.path)}: ${issue?.message}`);
  }
  checkTogether(made.data, spec.reconcile);
  checkCompensate(made.data, spec.compensate);
  return made.data;
}

const specField = (path: readonly PropertyKey[] = []): string => {
  const given: Record<string, string> = { maxAttempts: 'attempts', timeoutMs: 'timeout' };
  return path.map((part) => given[String(part)] ?? String(part)).join('.');
};

function checkInput(input: unknown): void {
  if (typeof input !== 'object' || input === null) throw new TypeError('input is missing; give a zod object');
  if ('_def' in input) throw new TypeError('input is a schema of zod 3; use zod 4');
  if ((input as JsonSchema)['type'] !== 'object') throw new TypeError('input must be an object schema');
  try {
    compileSchema(input as JsonSchema);
  } catch (err) {
    throw new TypeError(`input is no valid JSON Schema: ${(err as Error).message}`, { cause: err });
  }
}

function checkTogether(tool: ToolDefinition, reconcile: unknown): void {
  const properties = Object.keys((tool.input['properties'] as object | undefined) ?? {});
  const stranger = tool.controls.find((control) => !properties.includes(control));
  if (stranger !== undefined) {
    throw new TypeError(`controls names ${stranger}, which is no argument${nearest(stranger, properties)}`);
  }
  if (tool.labels.length === 0) throw new TypeError('labels is empty; leave it out for untrusted');
  if ((tool.effect === 'reconcilable') !== (typeof reconcile === 'function')) {
    throw new TypeError(
      tool.effect === 'reconcilable'
        ? 'effect reconcilable needs a function reconcile that asks the destination what became of a key'
        : `reconcile is for effect reconcilable; this tool is ${tool.effect}`,
    );
  }
}

function checkCompensate({ effect }: ToolDefinition, compensate: unknown): void {
  if (compensate === undefined) return;
  if (typeof compensate !== 'function') throw new TypeError('compensate must be a function');
  if (effect === 'read') throw new TypeError('compensate takes an effect back; this tool is read');
}

async function parsed(schema: z.ZodType, args: unknown): Promise<unknown> {
  const result = await z.safeParseAsync(schema, args);
  if (result.success) return result.data;
  const issues = result.error.issues.map((i) => `${i.path.join('.') || 'arguments'}: ${i.message}`);
  throw new ToolError(`The arguments do not fit: ${issues.join('; ')}`);
}
