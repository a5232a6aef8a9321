// From the text of an agent file to a checked definition, or errors that name line, field and remedy.
import { LineCounter, type Document, isMap, isNode, isPair, isScalar, parseDocument } from 'yaml';
import type { core } from 'zod';
import { type AgentDefinition, agentDefinition } from '../../contracts/agent.js';
import { digestOf } from '../canonical.js';
import { nearest } from '../nearest.js';

export interface AgentFileError {
  /** `tools[1].effect`; empty for the file as a whole. */
  path: string;
  line?: number;
  column?: number;
  message: string;
}

export type ParsedAgent =
  | { ok: true; definition: AgentDefinition; version: string; at: (path: Path) => { line?: number; column?: number } }
  | { ok: false; errors: AgentFileError[] };

type Path = readonly PropertyKey[];

/** In bytes. */
export const MAX_AGENT_FILE = 256 * 1024;

/** JSON is YAML, so one parser reads both. The version is the hash of the definition: comments make no new one. */
export function parseAgent(text: string): ParsedAgent {
  if (Buffer.byteLength(text) > MAX_AGENT_FILE) {
    return { ok: false, errors: [{ path: '', message: `an agent file has at most ${MAX_AGENT_FILE} bytes` }] };
  }
  const lines = new LineCounter();
  const doc = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false });
  if (doc.errors.length > 0) {
    return {
      ok: false,
      errors: doc.errors.map((err) => ({ path: '', ...place(lines, err.pos[0]), message: firstLine(err.message) })),
    };
  }
  let value: unknown;
  try {
    value = doc.toJS({ maxAliasCount: 50 });
  } catch (err) {
    return { ok: false, errors: [{ path: '', message: firstLine((err as Error).message) }] };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return {
      ok: false,
      errors: [{ path: '', line: 1, column: 1, message: 'an agent file is a mapping: name, model, …' }],
    };
  }
  const at = (path: Path, key = false) => locate(doc, lines, path, key);
  const parsed = agentDefinition.safeParse(value);
  if (!parsed.success) return { ok: false, errors: parsed.error.issues.flatMap((issue) => explain(issue, [], at)) };
  return { ok: true, definition: parsed.data, version: digestOf(parsed.data), at };
}

type Locate = (path: Path, key?: boolean) => { line?: number; column?: number };

function explain(issue: core.$ZodIssue, prefix: Path, at: Locate): AgentFileError[] {
  const path = [...prefix, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: pathText([...path, key]),
      ...at([...path, key], true),
      message: `unknown field ${key}${nearest(key, knownFields(path))}`,
    }));
  }
  if (issue.code === 'invalid_union') return explainUnion(issue, path, at);
  return [{ path: pathText(path), ...at(path), message: remedy(issue) }];
}

/** Of the alternatives the one that came furthest: its complaint is the useful one. */
function explainUnion(issue: core.$ZodIssueInvalidUnion, path: Path, at: Locate): AgentFileError[] {
  const alternatives = issue.errors.filter(
    (issues) => !issues.some((i) => i.path.length === 0 && i.code === 'invalid_type'),
  );
  // The last alternative of a tool entry is "by name": an entry with http or input is meant as an HTTP tool.
  const best = alternatives.toSorted((a, b) => weight(a) - weight(b))[0] ?? issue.errors.at(-1) ?? [];
  return best.flatMap((inner) => explain(inner, path, at));
}

const weight = (issues: readonly core.$ZodIssue[]): number =>
  issues.reduce((sum, i) => sum + (i.code === 'unrecognized_keys' ? 2 * i.keys.length : 1), 0);

function remedy(issue: core.$ZodIssue): string {
  if (issue.code === 'invalid_type' && issue.input === undefined && issue.message.includes('undefined')) {
    return `is missing; expected ${issue.expected}`;
  }
  return issue.message;
}

const TOP = Object.keys(agentDefinition.shape);
const TOOL = [
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
  'http',
];

function knownFields(path: Path): string[] {
  if (path.length === 0) return TOP;
  if (path[0] === 'tools') return path.at(-1) === 'http' ? ['url', 'secret'] : TOOL;
  if (path[0] === 'approve') return ['tool', 'effect', 'when', 'reason'];
  if (path[0] === 'approvals') return ['expiresAfter', 'onExpiry', 'separationOfDuty', 'signals'];
  return ['maxSteps', 'maxTokens', 'maxCostUsd', 'maxToolCalls', 'deadline', 'parallelTools'];
}

/** Where a path stands in the file; of a missing field, where the mapping that lacks it begins. */
function locate(doc: Document, lines: LineCounter, path: Path, key: boolean): { line?: number; column?: number } {
  for (let length = path.length; length >= 0; length--) {
    const offset = offsetOf(doc, path.slice(0, length), key && length === path.length);
    if (offset !== undefined) return place(lines, offset);
  }
  return { line: 1, column: 1 };
}

function offsetOf(doc: Document, path: Path, key: boolean): number | undefined {
  if (key || path.length > 0) {
    const parent = path.length === 1 ? doc.contents : doc.getIn(path.slice(0, -1), true);
    const pair = isMap(parent)
      ? parent.items.find((i) => isPair(i) && isScalar(i.key) && i.key.value === path.at(-1))
      : undefined;
    if (key && isPair(pair) && isNode(pair.key)) return pair.key.range?.[0];
  }
  const node: unknown = path.length === 0 ? doc.contents : doc.getIn(path, true);
  return isNode(node) ? node.range?.[0] : undefined;
}

function place(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

/** ['tools', 1, 'effect'] → `tools[1].effect` */
export const pathText = (path: Path): string =>
  path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');

/** The other way round. */
export const pathOf = (text: string): PropertyKey[] =>
  [...text.matchAll(/\[(\d+)\]|([^.[\]]+)/g)].map((m) => (m[1] === undefined ? (m[2] as string) : Number(m[1])));

const firstLine = (text: string): string => text.split('\n')[0] ?? text;
