// A tool's result taken apart into its values, each with the labels that its field was declared with.
import { LineCounter, parseDocument } from 'yaml';
import type { ToolDefinition, ToolLabel } from '../../contracts/tools.js';
import { isRecord } from '../policy/plainJson.js';

export interface ResultValue {
  /** Names on the way to it, without numbers in lists: `participants.email`. Empty: the result as a whole. */
  field: string;
  text: string;
  labels: readonly ToolLabel[];
  whole: boolean;
}

type Labelled = Pick<ToolDefinition, 'labels' | 'fields'>;

/** Results longer than this are not read as YAML, which is slow; they get the most cautious labels of the tool. */
const MAX_YAML = 512 * 1024;
const MAX_VALUES = 200_000;

export function valuesOfResult(tool: Labelled, text: string): ResultValue[] {
  // Nothing in it can be more than untrusted text, so nothing is gained by taking it apart.
  const whollyUntrusted = !isTrusted(tool.labels) && tool.fields === undefined;
  if (whollyUntrusted) return [{ field: '', text, labels: tool.labels, whole: false }];
  const data = structureOf(text, tool);
  if (data !== undefined) return valuesIn(data, [], tool).slice(0, MAX_VALUES);
  return tool.fields === undefined
    ? linesOf(text).map((line) => ({ field: '', text: line, labels: tool.labels, whole: true }))
    : [{ field: '', text, labels: cautious(tool), whole: false }];
}

const isTrusted = (labels: readonly ToolLabel[]): boolean =>
  labels.includes('trusted') && !labels.includes('untrusted');

/** Fields cannot be told apart: what any of them may hold, the whole may hold. */
function cautious({ labels, fields = {} }: Labelled): ToolLabel[] {
  const all = new Set([...labels, ...Object.values(fields).flat()]);
  return all.has('untrusted') ? [...all].filter((label) => label !== 'trusted') : [...all];
}

function structureOf(text: string, tool: Labelled): object | undefined {
  const trimmed = text.trim();
  if (/^[[{]/.test(trimmed)) {
    try {
      return JSON.parse(trimmed) as object;
    } catch {
      // Not JSON; it may be YAML.
    }
  }
  if (tool.fields === undefined || trimmed.length > MAX_YAML) return undefined;
  try {
    const doc = parseDocument(trimmed, { lineCounter: new LineCounter(), uniqueKeys: false, logLevel: 'error' });
    if (doc.errors.length > 0) return undefined;
    const data: unknown = doc.toJS({ maxAliasCount: 0 });
    return typeof data === 'object' && data !== null ? data : undefined;
  } catch {
    return undefined;
  }
}

function valuesIn(data: unknown, path: readonly string[], tool: Labelled): ResultValue[] {
  if (Array.isArray(data)) return data.flatMap((item: unknown) => valuesIn(item, path, tool));
  if (isRecord(data)) {
    return Object.entries(data).flatMap(([key, value]) => {
      // A name may itself be a value, as in {"anna@example.com": "may read"}: of the field that it stands in.
      const name = { field: path.join('.'), text: key, labels: labelsAt(path, tool), whole: true };
      return [name, ...valuesIn(value, [...path, key], tool)];
    });
  }
  if (data === null || data === undefined || typeof data === 'boolean') return [];
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  return text === '' ? [] : [{ field: path.join('.'), text, labels: labelsAt(path, tool), whole: true }];
}

/** Of the declared field that the path leads through last; else those of the tool. */
function labelsAt(path: readonly string[], { labels, fields = {} }: Labelled): readonly ToolLabel[] {
  let best: { end: number; length: number; labels: readonly ToolLabel[] } | undefined;
  for (const [declared, fieldLabels] of Object.entries(fields)) {
    const names = declared.split('.');
    for (let start = 0; start + names.length <= path.length; start++) {
      if (!names.every((name, i) => name === '*' || name === path[start + i])) continue;
      const end = start + names.length;
      const closer = best === undefined || end > best.end || (end === best.end && names.length > best.length);
      if (closer) best = { end, length: names.length, labels: fieldLabels };
    }
  }
  return best?.labels ?? labels;
}

/** Of a plain text: each line, and what stands behind a colon. */
function linesOf(text: string): string[] {
  return text.split('\n').flatMap((line) => {
    const value = line.replace(/^[\s*•-]+/, '').trim();
    const behind = /^[\w .]{1,60}: +(\S.*)$/.exec(value)?.[1];
    return [value, behind].filter((found) => found !== undefined && found !== '') as string[];
  });
}
