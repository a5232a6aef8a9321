// What the operator wrote: the instructions, and the values that the declarations of tools name (in quotes or as
// choices). Other words of a description only say what a tool is for; nobody means them as values.
import type { AgentDefinition } from '../../contracts/agent.js';
import type { ToolDefinition } from '../../contracts/tools.js';
import { isRecord } from '../policy/plainJson.js';
import type { Span } from './span.js';

const MAX_DEPTH = 16;

export function operatorSpans(instructions: AgentDefinition['instructions'], tools: readonly ToolDefinition[]): Span[] {
  const texts = typeof instructions === 'string' ? [instructions] : Object.values(instructions);
  const values = tools.flatMap((tool) => [...quotedIn(tool.description), ...valuesOfSchema(tool.input, 0)]);
  return [...texts, ...new Set(values)].map((text) => ({
    source: { kind: 'operator', labels: [] },
    text,
    whole: false,
  }));
}

const quotedIn = (text: string): string[] =>
  [...text.matchAll(/["'`]([^"'`\n]{1,100})["'`]/g)].map(([, value = '']) => value);

function valuesOfSchema(schema: unknown, depth: number): string[] {
  if (depth > MAX_DEPTH) return [];
  if (Array.isArray(schema)) return schema.flatMap((item) => valuesOfSchema(item, depth + 1));
  if (!isRecord(schema)) return [];
  return Object.entries(schema).flatMap(([key, value]) => {
    if (key === 'description' && typeof value === 'string') return quotedIn(value);
    if (key === 'enum' || key === 'const' || key === 'default' || key === 'examples')
      return [value].flat().filter(isText);
    return valuesOfSchema(value, depth + 1);
  });
}

const isText = (value: unknown): value is string => typeof value === 'string';
