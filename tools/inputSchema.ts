// From a zod schema to the JSON Schema that models are shown.
import { z } from 'zod';
import type { JsonSchema } from '../contracts/tools.js';

/** Throws for what models cannot be shown: types without a JSON form, and objects that take any field. */
export function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  let json: JsonSchema;
  try {
    json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'throw' });
  } catch (err) {
    throw new TypeError(`input: ${(err as Error).message}`, { cause: err });
  }
  // The Messages API's strict form closes objects: an open one would silently take nothing at all.
  const open = openObject(json, 'input');
  if (open !== undefined) {
    throw new TypeError(
      `${open} takes any field (z.record, z.looseObject or catchall), which is not supported; use an array of pairs`,
    );
  }
  const { $schema: _, ...rest } = json;
  return rest;
}

/** Where the first open object is, such as `input.items[].headers`. */
function openObject(node: unknown, where: string): string | undefined {
  if (typeof node !== 'object' || node === null) return undefined;
  const schema = node as JsonSchema;
  if (schema['propertyNames'] !== undefined || (schema['additionalProperties'] ?? false) !== false) return where;
  const inner = [
    ...named(schema['properties']).map(([name, property]) => openObject(property, `${where}.${name}`)),
    ...named(schema['$defs']).map(([name, definition]) => openObject(definition, `${where}.${name}`)),
    openObject(schema['items'], `${where}[]`),
    ...['prefixItems', 'anyOf', 'oneOf', 'allOf'].flatMap((key) =>
      ((schema[key] as unknown[] | undefined) ?? []).map((member) => openObject(member, where)),
    ),
  ];
  return inner.find((found) => found !== undefined);
}

const named = (value: unknown): [string, unknown][] => Object.entries((value as object | undefined) ?? {});
