// From zod's issues to errors that name the field, where it stands and what to write instead.
import type { core } from 'zod';
import { agentApprovals, agentDefinition, agentLimits } from '../../contracts/agent.js';
import { mcpServer, mcpToolSettings } from '../../contracts/mcp.js';
import { nearest } from '../nearest.js';
import { type Path, type Position, pathText } from './filePosition.js';

export interface AgentFileError {
  /** `tools[1].effect`; empty for the file as a whole. */
  path: string;
  line?: number;
  column?: number;
  message: string;
}

/** More than these help nobody, and each costs a search for its line. */
export const MAX_ERRORS = 20;

type Locate = (path: Path, key?: boolean) => Position;

export function explainIssues(issues: readonly core.$ZodIssue[], at: Locate): AgentFileError[] {
  const errors: AgentFileError[] = [];
  for (const issue of issues) {
    if (errors.length >= MAX_ERRORS) break;
    errors.push(...explain(issue, [], at));
  }
  return errors.slice(0, MAX_ERRORS);
}

function explain(issue: core.$ZodIssue, prefix: Path, at: Locate): AgentFileError[] {
  const path = [...prefix, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.slice(0, MAX_ERRORS).map((key) => ({
      path: pathText([...path, key]),
      ...at([...path, key], true),
      message: `unknown field ${key.slice(0, 100)}${nearest(key.slice(0, 100), knownFields(path, issue.input))}`,
    }));
  }
  if (issue.code === 'invalid_union') return explainUnion(issue, path, at);
  return [{ path: pathText(path), ...at(path), message: remedy(issue, path) }];
}

/** Of the alternatives the one that was meant, told by the shape of what was written. */
function explainUnion(issue: core.$ZodIssueInvalidUnion, path: Path, at: Locate): AgentFileError[] {
  const { input } = issue;
  const inner = (index: number): AgentFileError[] =>
    (issue.errors[index] ?? []).slice(0, MAX_ERRORS).flatMap((i) => explain(i, path, at));
  if (path[0] === 'policy' && path.length === 1) {
    if (typeof input === 'object' && input !== null) return inner(Array.isArray(input) ? 0 : 1);
    return [{ path: 'policy', ...at(path), message: `a list of rules, or default and rules; this is ${named(input)}` }];
  }
  // The first alternative of the other unions is a text.
  if (typeof input === 'string') return inner(0);
  if (typeof input === 'object' && input !== null && !Array.isArray(input)) {
    if (path[0] !== 'tools') return inner(1);
    if ('name' in input && (input.name === 'shell' || input.name === 'javascript')) {
      return inner(input.name === 'shell' ? 5 : 6);
    }
    if ('client' in input && !('http' in input)) return inner(3);
    if ('allow' in input) return inner(4);
    return inner('http' in input || 'input' in input || 'description' in input ? 1 : 2);
  }
  const message =
    input === undefined
      ? `is missing; give ${wanted('', path)}`
      : path[0] === 'tools'
        ? `a tool is a name, or a mapping with a name; this is ${named(input)}`
        : path[0] === 'allow'
          ? `a tool's name, or a mapping with tool and when; this is ${named(input)}`
          : `one text, or named sections with a text each; this is ${named(input)}`;
  return [{ path: pathText(path), ...at(path), message }];
}

function remedy(issue: core.$ZodIssue, path: Path): string {
  const { input } = issue;
  if (issue.code === 'invalid_type') {
    if (input === undefined) return `is missing; give ${wanted(issue.expected, path)}`;
    const quoted =
      issue.expected === 'string' && typeof input !== 'object' ? `; put it in quotes: "${show(input)}"` : '';
    return `must be ${wanted(issue.expected, path)}, and this is ${named(input)}${quoted}`;
  }
  if (issue.code === 'invalid_value') {
    const values = issue.values.map(String);
    if (input === undefined) return `is missing; give one of ${values.join(', ')}`;
    return `${show(input)} is not one of ${values.join(', ')}${nearest(show(input), values)}`;
  }
  if (issue.code === 'too_small') {
    if (issue.origin === 'string') return 'must not be empty';
    return `must ${issue.origin === 'array' ? 'have' : 'be'} at least ${issue.minimum}`;
  }
  if (issue.code === 'too_big') {
    if (issue.origin === 'string') return `must have at most ${issue.maximum} characters`;
    return `must ${issue.origin === 'array' ? 'have' : 'be'} at most ${issue.maximum}`;
  }
  if (issue.code !== 'invalid_format') return issue.message;
  if (path.at(-1) === 'secret') {
    return 'must be the name of an environment variable such as REFUND_KEY; never the secret itself';
  }
  if (issue.format === 'url') return 'must be an http or https address, such as https://pay.example/refund';
  return issue.message.startsWith('Invalid') ? issue.message : `must be ${issue.message}`;
}

/** What was written, short enough for an error; lists and mappings by their kind. */
function show(value: unknown): string {
  if (typeof value === 'object') return named(value);
  return (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, 100).toWellFormed();
}

function wanted(expected: string, path: Path): string {
  if (path[0] === 'instructions') return 'one text, or named sections with a text each';
  const names: Record<string, string> = {
    string: 'a text',
    int: 'a whole number',
    number: 'a number',
    boolean: 'true or false',
    array: 'a list',
    object: 'a mapping',
    record: 'a mapping',
  };
  return names[expected] ?? expected;
}

function named(value: unknown): string {
  if (value === null || value === undefined) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value === 'string') return 'a text';
  return `the ${typeof value} ${JSON.stringify(value)}`;
}

const HTTP = ['url', 'secret', 'headers', 'reconcileUrl', 'reconcileMethod', 'undoUrl'];
const ALLOW = ['url', 'methods', 'headers', 'private'];
const TOOL = [
  'name',
  'effect',
  'labels',
  'fields',
  'controls',
  'external',
  'timeout',
  'attempts',
  'queue',
  'unknown',
  'rate',
];
const HTTP_TOOL = [...TOOL, 'description', 'input', 'http', 'client', 'allow', 'redirects', 'responseBytes'];
const SANDBOX: Partial<Record<string, string[]>> = {
  shell: [...TOOL, 'memory', 'cpu', 'processes', 'fileSize', 'workspaceSize', 'output'],
  javascript: [...TOOL, 'memory', 'output'],
};
const APPROVE = ['tool', 'effect', 'when', 'reason'];
const ALLOW_RULE = ['tool', 'when', 'reason'];
const POLICY_RULE = ['id', 'effect', 'tools', 'when', 'reason'];

function knownFields(path: Path, input: unknown): string[] {
  switch (path[0]) {
    case undefined:
      return Object.keys(agentDefinition.shape);
    case 'tools':
      if (path.at(-2) === 'allow') return ALLOW;
      if (path.at(-1) === 'http') return HTTP;
      return SANDBOX[(input as { name?: string } | undefined)?.name ?? ''] ?? HTTP_TOOL;
    case 'mcp':
      return Object.keys((path.at(-2) === 'tools' ? mcpToolSettings : mcpServer).shape);
    case 'policy':
      return path.length === 1 ? ['default', 'rules'] : POLICY_RULE;
    case 'allow':
      return ALLOW_RULE;
    case 'approve':
      return APPROVE;
    case 'approvals':
      return Object.keys(agentApprovals.shape);
    case 'limits':
      return Object.keys(agentLimits.shape);
    default:
      return [];
  }
}
