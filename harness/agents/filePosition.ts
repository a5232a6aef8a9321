// Where things stand in an agent file: from the path of a field to its line and column, and paths as people read them.
import { type Document, type LineCounter, isMap, isNode, isPair, isScalar } from 'yaml';

export type Path = readonly PropertyKey[];

export interface Position {
  line?: number;
  column?: number;
}

/** Of a missing field: where the mapping that lacks it begins. With `key`: of the field's name, not of its value. */
export function locate(doc: Document, lines: LineCounter, path: Path, key = false): Position {
  for (let length = path.length; length >= 0; length--) {
    const offset = offsetOf(doc, path.slice(0, length), key && length === path.length);
    if (offset !== undefined) return place(lines, offset);
  }
  return { line: 1, column: 1 };
}

function offsetOf(doc: Document, path: Path, key: boolean): number | undefined {
  if (key && path.length > 0) {
    const parent = path.length === 1 ? doc.contents : doc.getIn(path.slice(0, -1), true);
    const pair = isMap(parent)
      ? parent.items.find((i) => isPair(i) && isScalar(i.key) && i.key.value === path.at(-1))
      : undefined;
    if (isPair(pair) && isNode(pair.key)) return pair.key.range?.[0];
  }
  const node: unknown = path.length === 0 ? doc.contents : doc.getIn(path, true);
  return isNode(node) ? node.range?.[0] : undefined;
}

export function place(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

/** ['tools', 1, 'effect'] → `tools[1].effect`; names with other characters are quoted: `instructions["a.b"]` */
export const pathText = (path: Path): string =>
  path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    const name = String(part);
    if (!/^[\w$-]+$/.test(name)) return `${text}[${JSON.stringify(name)}]`;
    return text === '' ? name : `${text}.${name}`;
  }, '');

/** The other way round. */
export const pathOf = (text: string): PropertyKey[] =>
  [...text.matchAll(/\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|([^.[\]]+)/g)].map(([, index, quoted, name]) => {
    if (index !== undefined) return Number(index);
    return quoted === undefined ? (name ?? '') : String(JSON.parse(quoted));
  });
