// How a user declares a tool in a module of their own. Wrong declarations throw when the module is loaded.
import { z } from 'zod';
import { duration, durationMs } from '../contracts/duration.js';
import type { ContentBlock } from '../contracts/conversation.js';
import {
  type JsonSchema,
  type ToolDefinition,
  type ToolEffect,
  type ToolLabel,
  toolDefaults,
  toolDefinition,
} from '../contracts/tools.js';
import { type Reconciled, type ToolContext, ToolError, type ToolExecutor, type ToolResult } from './execution.js';

/** What `execute` may return: text, blocks, a result, or anything that has a JSON form. */
export type ToolReturn = unknown;

export interface ToolSpec<Input extends z.ZodType> {
  name: string;
  description: string;
  /** A zod object, or a JSON Schema of type object. */
  input: Input | JsonSchema;
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
  execute(args: z.output<Input>, ctx: ToolContext): Promise<ToolReturn> | ToolReturn;
  /** For `reconcilable` tools: asks the destination what became of a key. */
  reconcile?: (idempotencyKey: string, ctx: ToolContext) => Promise<Reconciled>;
}

/** Marks tools across copies of this package. */
const BRAND = Symbol.for('longhaul.tool');

export interface DefinedTool extends ToolExecutor {
  readonly [BRAND]: true;
}

export const isDefinedTool = (value: unknown): value is DefinedTool =>
  typeof value === 'object' && value !== null && BRAND in value;

export function defineTool<Input extends z.ZodType>(spec: ToolSpec<Input>): DefinedTool {
  const schema = spec.input instanceof z.ZodType ? spec.input : undefined;
  const definition = definitionOf(spec, schema ? jsonSchemaOf(spec.name, schema) : (spec.input as JsonSchema));
  return {
    [BRAND]: true,
    definition,
    ...(spec.reconcile === undefined ? {} : { reconcile: spec.reconcile }),
    async execute(args, ctx) {
      return resultOf(await spec.execute((schema ? parsed(schema, args) : args) as z.output<Input>, ctx));
    },
  };
}

function definitionOf(spec: ToolSpec<z.ZodType>, input: JsonSchema): ToolDefinition {
  const where = `defineTool ${JSON.stringify(spec.name)}`;
  if (typeof spec.execute !== 'function') throw new TypeError(`${where}: execute must be a function`);
  if (typeof spec.description !== 'string' || spec.description === '') {
    throw new TypeError(`${where}: description is missing; the model chooses tools by it`);
  }
  if (spec.timeout !== undefined && !duration.safeParse(spec.timeout).success) {
    throw new TypeError(`${where}: timeout ${JSON.stringify(spec.timeout)} is no length of time such as 30s or 2m`);
  }
  if (input['type'] !== 'object') throw new TypeError(`${where}: input must be an object schema`);
  const properties = Object.keys((input['properties'] as object | undefined) ?? {});
  const stranger = spec.controls?.find((control) => !properties.includes(control));
  if (stranger !== undefined) throw new TypeError(`${where}: controls names ${stranger}, which is no argument`);
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
    ...(spec.queue === undefined ? {} : { queue: spec.queue }),
  });
  if (!made.success) {
    const [issue] = made.error.issues;
    throw new TypeError(`${where}: ${issue?.path.join('.')}: ${issue?.message}`);
  }
  return made.data;
}

function jsonSchemaOf(name: string, schema: z.ZodType): JsonSchema {
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'throw' });
  // The Messages API's strict form closes objects: an open record would silently take nothing at all.
  if (JSON.stringify(json).includes('"propertyNames"')) {
    throw new TypeError(
      `defineTool ${JSON.stringify(name)}: z.record is not supported in input; use an array of pairs`,
    );
  }
  const { $schema: _, ...rest } = json;
  return rest as JsonSchema;
}

function parsed(schema: z.ZodType, args: unknown): unknown {
  const result = schema.safeParse(args);
  if (result.success) return result.data;
  const issues = result.error.issues.map((i) => `${i.path.join('.') || 'arguments'}: ${i.message}`);
  throw new ToolError(`The arguments do not fit: ${issues.join('; ')}`);
}

function resultOf(value: ToolReturn): ToolResult {
  if (value === undefined || value === null) return { content: '' };
  if (typeof value === 'string') return { content: value };
  if (isToolResult(value)) return value;
  return { content: JSON.stringify(value, null, 1) };
}

function isToolResult(value: unknown): value is ToolResult {
  if (typeof value !== 'object' || value === null) return false;
  const { content, isError, ...rest } = value as { content?: unknown; isError?: unknown };
  if (Object.keys(rest).length > 0 || !(isError === undefined || typeof isError === 'boolean')) return false;
  return typeof content === 'string' || (Array.isArray(content) && content.every(isBlock));
}

const isBlock = (value: unknown): value is ContentBlock =>
  typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string';
