// Where the arguments of one call came from: each control argument as a value; in every other text the links and the
// long passages that were copied.
import type { ArgumentProvenance, CallProvenance, ProvenanceSource, Standing } from '../../contracts/provenance.js';
import type { ToolDefinition } from '../../contracts/tools.js';
import { argumentNames } from '../policy/argumentNames.js';
import { isRecord } from '../policy/plainJson.js';
import { MIN_PASSAGE, without } from './copies.js';
import { decodedIn } from './encodings.js';
import { linksIn } from './links.js';
import { looseForm, squashed } from './normalise.js';
import { type ProvenanceIndex, phraseForm } from './provenanceIndex.js';
import { MAX_SOURCES, type ValueStanding, distinct, standingOf } from './standing.js';

type Tool = Pick<ToolDefinition, 'name' | 'input' | 'controls' | 'external' | 'effect'>;

export function provenanceOfCall(index: ProvenanceIndex, tool: Tool, args: unknown): CallProvenance {
  const given = isRecord(args) ? args : {};
  const names = new Set([...argumentNames(tool.input), ...Object.keys(given)]);
  const of: Record<string, ArgumentProvenance> = {};
  for (const name of names) of[name] = provenanceOfArgument(index, tool, name, given[name]);
  const all = Object.values(of);
  return {
    tainted: all.some((argument) => argument.tainted),
    private: all.some((argument) => argument.private),
    labels: index.labels,
    arguments: of,
  };
}

function provenanceOfArgument(index: ProvenanceIndex, tool: Tool, name: string, value: unknown): ArgumentProvenance {
  const control = tool.controls.includes(name);
  const about = wordsAbout(tool.name, name);
  const values = leavesOf(value, schemaOf(tool, name));
  const isPrivate = values.some((leaf) => typeof leaf === 'string' && carriesPrivate(index, leaf));
  if (values.length === 0) return { standing: 'absent', control, tainted: false, private: false, sources: [] };
  const texts = control ? [] : values.filter((leaf) => !isAtom(leaf));
  const standings = values.filter((leaf) => control || isAtom(leaf)).map((leaf) => standingOf(index, leaf, about));
  const inTexts = texts.map((text) => inText(index, String(text), about));
  const links = inTexts.flatMap((found) => found.links);
  const passages = inTexts.flatMap((found) => found.passages);
  const worst = worstOf([...standings.map(({ standing }) => standing), ...links.map(({ standing }) => standing)]);
  const standing: Standing = passages.length > 0 ? 'tainted' : worst;
  const strange = links.length + passages.length;
  return {
    standing,
    control,
    // What a text says is the reader's to judge as long as the reader is one of us.
    tainted: control ? isStrange(standing) : tool.external && strange > 0,
    private: isPrivate,
    sources: distinct(
      [...standings.filter((s) => s.standing === standing), ...links].flatMap((s) => s.sources).concat(passages),
    ).slice(0, MAX_SOURCES),
    ...(links.length === 0 ? {} : { links: links.length }),
    ...(passages.length === 0 ? {} : { passages: passages.length }),
  };
}

export const isStrange = (standing: Standing): boolean => standing === 'tainted' || standing === 'unknown';

/** Links that nobody of us gave, and passages that only outsiders wrote: a source for each. */
function inText(
  index: ProvenanceIndex,
  text: string,
  about: ReadonlySet<string>,
): { links: ValueStanding[]; passages: ProvenanceSource[] } {
  const said = [text, ...decodedIn(text)];
  const links = said
    .flatMap(linksIn)
    .map((link) => standingOf(index, link, about))
    .filter(({ standing }) => isStrange(standing));
  const passages = said.flatMap((part) => {
    const whole = wholeCopy(index, part);
    if (whole.length > 0) return whole;
    const form = squashed(looseForm(part));
    const copied = index.outside.copies.in(form);
    if (copied.length === 0) return [];
    const ours = [...index.named.copies.in(form), ...index.reported.copies.in(form)];
    return without(copied, ours).flatMap(({ text: n }) => index.outside.sources[n] ?? []);
  });
  return { links, passages };
}

/** Letters of a text that is a copy from beginning to end; shorter ones may be the same by chance. */
const MIN_WHOLE = 20;

function wholeCopy({ named, outside }: ProvenanceIndex, text: string): ProvenanceSource[] {
  const phrase = phraseForm(text);
  const letters = phrase.replaceAll(' ', '');
  if (letters.length < MIN_WHOLE || letters.length >= MIN_PASSAGE) return [];
  if (named.squashed.some((ours) => ours.includes(letters))) return [];
  return outside.phrases.find(phrase).flatMap(({ text: n }) => outside.sources[n] ?? []);
}

function carriesPrivate(index: ProvenanceIndex, text: string): boolean {
  if (index.privateValues.isEmpty) return false;
  return index.privateValues.isIn(text, (value) => index.named.squashed.some((named) => named.includes(value)));
}

const ORDER: readonly Standing[] = ['absent', 'clean', 'resolved', 'reported', 'unknown', 'tainted'];
const worstOf = (standings: readonly Standing[]): Standing =>
  standings.reduce<Standing>((worst, s) => (ORDER.indexOf(s) > ORDER.indexOf(worst) ? s : worst), 'clean');

/** A value and not a text: compared as a whole. */
const isAtom = (leaf: string | number): boolean =>
  typeof leaf === 'number' || (leaf.length <= 256 && !/\s/.test(leaf.trim()) && linksIn(leaf).length === 0);

function schemaOf({ input }: Tool, name: string): unknown {
  const properties = input['properties'];
  return isRecord(properties) ? properties[name] : undefined;
}

/** Every value in it, and every name that its schema does not give: in {"anna@example.com": "rw"} the name steers. */
function leavesOf(value: unknown, schema: unknown): (string | number)[] {
  if (typeof value === 'string' || typeof value === 'number') return [value];
  const inner = isRecord(schema) ? schema : {};
  if (Array.isArray(value)) return value.flatMap((item) => leavesOf(item, inner['items']));
  if (!isRecord(value)) return [];
  const properties = isRecord(inner['properties']) ? inner['properties'] : {};
  return Object.entries(value).flatMap(([key, item]) =>
    Object.hasOwn(properties, key) ? leavesOf(item, properties[key]) : [key, ...leavesOf(item, undefined)],
  );
}

/** Words of the names of argument and tool: fileId in delete_file is about an id, and a file. */
function wordsAbout(tool: string, argument: string): ReadonlySet<string> {
  const words = `${argument} ${tool}`.replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase();
  return new Set((words.match(/[a-z]+/g) ?? []).filter((word) => word.length > 2 || word === 'id' || word === 'no'));
}

/** Is the call about things that our side named, and about nothing else? */
export function asksAboutClean(index: ProvenanceIndex, tool: Tool, args: unknown): boolean {
  const given = isRecord(args) ? args : {};
  const names = tool.effect === 'read' ? Object.keys(given) : tool.controls;
  const texts = names.flatMap((name) =>
    leavesOf(given[name], schemaOf(tool, name)).flatMap((leaf) =>
      typeof leaf === 'string' && leaf.trim() !== '' ? [{ leaf, about: wordsAbout(tool.name, name) }] : [],
    ),
  );
  const isOurs = (standing: Standing): boolean => standing === 'clean' || standing === 'resolved';
  return texts.length > 0 && texts.every(({ leaf, about }) => isOurs(standingOf(index, leaf, about).standing));
}
