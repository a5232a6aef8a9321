// The arguments that a tool takes, by its schema.
import { isRecord } from './plainJson.js';

export const argumentNames = (schema: Record<string, unknown>): string[] =>
  isRecord(schema['properties']) ? Object.keys(schema['properties']) : [];
