// The text of an agent file as a plain value, or errors with their lines. JSON is YAML, so one parser places both.
import { type Document, LineCounter, type YAMLError, isScalar, parseDocument, visit } from 'yaml';
import { messageOf, notPlain } from '../policy/plainJson.js';
import { type AgentFileError, MAX_ERRORS } from './explainIssues.js';
import { type Path, type Position, locate, pathText, place } from './filePosition.js';

/** In bytes. */
export const MAX_AGENT_FILE = 256 * 1024;
/** Uses of one anchor, counted through all levels. */
const MAX_ALIASES = 50;

export type ReadFile =
  { ok: true; value: unknown; at: (path: Path, key?: boolean) => Position } | { ok: false; errors: AgentFileError[] };

export function readYaml(text: string, mediaType: 'yaml' | 'json'): ReadFile {
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_AGENT_FILE) {
    return refuse(`an agent file has at most ${MAX_AGENT_FILE} bytes, and this one has ${bytes}; make it shorter`);
  }
  const lines = new LineCounter();
  try {
    const doc = parseDocument(text, {
      lineCounter: lines,
      uniqueKeys: false, // the parser's own check is quadratic; `problemsIn` finds them
      stringKeys: true,
      prettyErrors: false,
      logLevel: 'error',
    });
    const overflow = doc.errors.find((err) => err.message.includes('call stack'));
    if (overflow) return refuse(TOO_DEEP, place(lines, overflow.pos[0]));
    const errors = [
      ...nulIn(text, lines),
      ...(mediaType === 'json' ? jsonProblem(text, doc, lines) : []),
      ...[...doc.errors, ...doc.warnings].slice(0, MAX_ERRORS).map((err) => syntaxError(err, lines)),
    ];
    if (errors.length === 0) errors.push(...problemsIn(doc, lines));
    if (errors.length > 0) return { ok: false, errors: errors.slice(0, MAX_ERRORS) };
    const value: unknown = doc.toJS({ maxAliasCount: MAX_ALIASES });
    const at = (path: Path, key?: boolean): Position => locate(doc, lines, path, key);
    const odd = notPlain(value);
    if (odd) return { ok: false, errors: [{ path: pathText(odd.path), ...at(odd.path), message: odd.message }] };
    return { ok: true, value, at };
  } catch (err) {
    if (err instanceof RangeError) return refuse(TOO_DEEP);
    if (err instanceof ReferenceError) return refuse('too many aliases (*name); write the values out');
    throw err;
  }
}

const TOO_DEEP = 'the file is nested too deeply; at most 64 levels are taken';

const refuse = (message: string, position: Position = { line: 1, column: 1 }): ReadFile => ({
  ok: false,
  errors: [{ path: '', ...position, message }],
});

function nulIn(text: string, lines: LineCounter): AgentFileError[] {
  const index = text.indexOf('\0');
  return index < 0
    ? []
    : [{ path: '', ...place(lines, index), message: 'a NUL character, which no text may have; remove it' }];
}

function syntaxError(err: YAMLError, lines: LineCounter): AgentFileError {
  return { path: '', ...place(lines, err.pos[0]), message: syntaxMessage(err) };
}

function syntaxMessage(err: YAMLError): string {
  const message = err.message.split('\n')[0] ?? err.message;
  if (err.code === 'TAG_RESOLVE_FAILED') return `${message}; remove the tag`;
  return SYNTAX[err.code] ?? message;
}

const SYNTAX: Partial<Record<YAMLError['code'], string>> = {
  TAB_AS_INDENT: 'a tab cannot indent; use spaces',
  MULTIPLE_DOCS: 'one agent to a file; remove the second --- and what follows',
  NON_STRING_KEY: 'a field name must be a text',
};

/** What JSON's own grammar refuses; a comment or a trailing comma, which YAML takes. */
function jsonProblem(text: string, doc: Document, lines: LineCounter): AgentFileError[] {
  if (doc.errors.length > 0) return [];
  try {
    JSON.parse(text);
    return [];
  } catch (err) {
    const message = messageOf(err);
    // V8 names no position for a token it never expects, and none at the end.
    const named = /at position (\d+)/.exec(message)?.[1];
    const position = named === undefined ? (message.includes('end of JSON') ? text.length : 0) : Number(named);
    return [{ path: '', ...place(lines, position), message: `not JSON: ${message.replace(/ \(line .*\)$/, '')}` }];
  }
}

/** Field names given twice, names that objects cannot hold, aliases of nothing, NUL behind an escape. */
function problemsIn(doc: Document, lines: LineCounter): AgentFileError[] {
  const errors: AgentFileError[] = [];
  const report = (offset: number | undefined, path: string, message: string): void => {
    errors.push({ path, ...place(lines, offset ?? 0), message });
  };
  visit(doc, {
    Map(_, map) {
      const seen = new Map<string, number>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        const name = String(key.value);
        const offset = key.range?.[0] ?? 0;
        const earlier = seen.get(name);
        if (earlier === undefined) seen.set(name, offset);
        else report(offset, name, `${name} is there twice, first on line ${place(lines, earlier).line}; keep one`);
        if (name === '__proto__') report(offset, name, '__proto__ cannot be a name; choose another');
      }
      return errors.length >= MAX_ERRORS ? visit.BREAK : undefined;
    },
    Alias(_, alias) {
      if (alias.resolve(doc) === undefined) {
        report(alias.range?.[0], '', `no anchor &${alias.source} stands before this *${alias.source}`);
      }
    },
    Scalar(_, node) {
      if (typeof node.value === 'string' && node.value.includes('\0')) {
        report(node.range?.[0], '', 'a NUL character, which no text may have; remove it');
      }
    },
  });
  return errors;
}
