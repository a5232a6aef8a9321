// From the text of an agent file to a checked definition, or errors that name line, field and remedy.
import { type AgentDefinition, agentDefinition } from '../../contracts/agent.js';
import { digestOf } from '../canonical.js';
import { type AgentFileError, explainIssues } from './explainIssues.js';
import type { Path, Position } from './filePosition.js';
import { readYaml } from './readYaml.js';

export type { AgentFileError } from './explainIssues.js';
export { MAX_AGENT_FILE } from './readYaml.js';

export type ParsedAgent =
  | { ok: true; definition: AgentDefinition; version: string; at: (path: Path) => Position }
  | { ok: false; errors: AgentFileError[] };

export interface ParseOptions {
  /** `json` refuses what only YAML takes, such as comments. */
  mediaType?: 'yaml' | 'json';
}

/** The version is the hash of the definition with its defaults: comments and spacing make no new one. */
export function parseAgent(text: string, options: ParseOptions = {}): ParsedAgent {
  const read = readYaml(text, options.mediaType ?? 'yaml');
  if (!read.ok) return read;
  const { value, at } = read;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const message = 'an agent file is a mapping: name, model, instructions, …';
    return { ok: false, errors: [{ path: '', line: 1, column: 1, message }] };
  }
  const parsed = agentDefinition.safeParse(value, { reportInput: true });
  if (!parsed.success) return { ok: false, errors: explainIssues(parsed.error.issues, at) };
  return { ok: true, definition: parsed.data, version: digestOf(parsed.data), at };
}
