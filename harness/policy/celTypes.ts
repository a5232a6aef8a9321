// From a tool's argument schema to the types that CEL conditions are checked against.
import { isRecord } from './plainJson.js';

/** A CEL type name, or an object with typed fields. */
export type CelType = string | { [field: string]: CelType };

const MAX_DEPTH = 6;

/** JSON numbers are doubles. What the schema does not say, or says in several ways, is dynamic: checked when it runs. */
export function celTypeOf(schema: unknown, depth = 0): CelType {
  if (!isRecord(schema) || depth > MAX_DEPTH) return 'dyn';
  switch (schema['type']) {
    case 'string':
      return 'string';
    case 'boolean':
      return 'bool';
    case 'number':
    case 'integer':
      return 'double';
    case 'array':
      return listOf(celTypeOf(schema['items'], depth + 1));
    case 'object': {
      const properties = schema['properties'];
      if (!isRecord(properties)) {
        return schema['additionalProperties'] === false ? {} : 'map<string, dyn>';
      }
      return Object.fromEntries(
        Object.entries(properties).map(([name, property]) => [name, celTypeOf(property, depth + 1)]),
      );
    }
    default:
      return 'dyn';
  }
}

const listOf = (item: CelType): string => (typeof item === 'string' && item !== 'dyn' ? `list<${item}>` : 'list');
