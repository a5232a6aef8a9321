// What the Messages API refuses about tools.
import { isDeepStrictEqual } from 'node:util';
import type { MessagesRequest } from './conversation.js';

export const NAME = /^[a-zA-Z0-9_-]{1,128}$/;
const PROPERTY = /^[a-zA-Z0-9_.-]{1,64}$/;
const FIELDS = new Set(
  'name type description input_schema cache_control strict defer_loading input_examples eager_input_streaming allowed_callers'.split(
    ' ',
  ),
);

export function toolsProblem(request: MessagesRequest): string | undefined {
  const { tools } = request;
  if (tools === undefined) return choiceProblem(request, new Set());
  if (!Array.isArray(tools)) return 'tools: Input should be a valid list';
  const names = new Set<string>();
  for (const [i, tool] of tools.entries()) {
    if (typeof tool !== 'object' || tool === null) return `tools.${i}: Input should be a valid dictionary`;
    if (typeof tool.name !== 'string' || !NAME.test(tool.name)) {
      return `tools.${i}.custom.name: String should match pattern '${NAME.source}'`;
    }
    if (names.has(tool.name)) return 'tools: Tool names must be unique.';
    names.add(tool.name);
    const isOwn = tool.type === undefined || tool.type === null || tool.type === 'custom';
    const problem = isOwn ? schemaProblem(tool) : undefined;
    if (problem !== undefined) return `tools.${i}.custom.${problem}`;
  }
  return choiceProblem(request, names);
}

function schemaProblem(tool: { [field: string]: unknown }): string | undefined {
  const stranger = Object.keys(tool).find((field) => !FIELDS.has(field));
  if (stranger !== undefined) return `${stranger}: Extra inputs are not permitted`;
  if (tool['description'] !== undefined && typeof tool['description'] !== 'string') {
    return 'description: Input should be a valid string';
  }
  const schema = tool['input_schema'];
  if (typeof schema !== 'object' || schema === null) return 'input_schema: Field required';
  if (!('type' in schema)) return 'input_schema.type: Field required';
  if (!isDeepStrictEqual(schema.type, 'object')) return "input_schema.type: Input should be 'object'";
  if (['oneOf', 'allOf', 'anyOf'].some((key) => key in schema)) {
    return 'input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level';
  }
  const properties = (schema as { properties?: unknown }).properties ?? {};
  if (typeof properties !== 'object' || Array.isArray(properties)) {
    return 'input_schema.properties: Input should be a valid dictionary';
  }
  const odd = Object.keys(properties).find((key) => !PROPERTY.test(key));
  return odd === undefined
    ? undefined
    : `input_schema.properties: Property keys should match pattern '${PROPERTY.source}'`;
}

function choiceProblem(request: MessagesRequest, names: ReadonlySet<string>): string | undefined {
  const choice = request['tool_choice'] as { type?: unknown; name?: unknown } | null | undefined;
  if (choice == null) return undefined;
  if (!['auto', 'any', 'tool', 'none'].includes(String(choice.type))) {
    return 'tool_choice: Input tag found using type does not match any of the expected tags: auto, any, tool, none';
  }
  if (names.size === 0 && choice.type !== 'none') return 'tool_choice may only be specified while providing tools.';
  if (choice.type === 'tool' && !names.has(String(choice.name))) {
    return `Tool '${String(choice.name)}' not found in provided tools`;
  }
  const thinks = ['adaptive', 'enabled'].includes(
    String((request['thinking'] as { type?: unknown } | null | undefined)?.type),
  );
  return thinks && (choice.type === 'any' || choice.type === 'tool')
    ? 'Thinking may not be enabled when tool_choice forces tool use.'
    : undefined;
}
