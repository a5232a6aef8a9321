// From a tool's argument schema to the types that CEL conditions are checked against.
import type { JsonSchema } from '../../contracts/tools.js';

/** A CEL type name, or an object with typed fields. */
export type CelType = string | { [field: string]: CelType };

const MAX_DEPTH = 6;

/** JSON numbers are doubles. What the schema does not say, or says in several ways, is dynamic: checked when it runs. */
export function celTypeOf(schema: unknown, depth = 0): CelType {
  if (typeof schema !== 'object' || schema === null || depth > MAX_DEPTH) return 'dyn';
  const s = schema as JsonSchema;
  switch (s['type']) {
    case 'string':
      return 'string';
    case 'boolean':
      return 'bool';
    case 'number':
    case 'integer':
      return 'double';
    case 'array':
      return listOf(celTypeOf(s['items'], depth + 1));
    case 'object': {
      const properties = s['properties'];
      if (typeof properties !== 'object' || properties === null) return depth === 0 ? {} : 'dyn';
      return Object.fromEntries(
        Object.entries(properties).map(([name, property]) => [name, celTypeOf(property, depth + 1)]),
      );
    }
    default:
      return 'dyn';
  }
}

const listOf = (item: CelType): string => (typeof item === 'string' && item !== 'dyn' ? `list<${item}>` : 'list');
