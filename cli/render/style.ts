// Colours, only where a person looks and has not asked for none. Without them every line says the same.

export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
}

const codes = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;

export function styleOf(colours: boolean): Style {
  const paint = (name: keyof typeof codes) => (text: string) =>
    colours && text !== '' ? `\u001b[${codes[name][0]}m${text}\u001b[${codes[name][1]}m` : text;
  return {
    bold: paint('bold'),
    dim: paint('dim'),
    red: paint('red'),
    green: paint('green'),
    yellow: paint('yellow'),
    cyan: paint('cyan'),
  };
}

/** https://no-color.org: any value that is not empty turns colours off. */
export const wantsColours = (isTerminal: boolean, env: Readonly<Record<string, string | undefined>>): boolean =>
  isTerminal && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';

// eslint-disable-next-line no-control-regex -- these are what is looked for
const ESCAPES = /\u001b\[[0-9;]*m/g;

/** Columns that a text takes on the screen. */
export function widthOf(text: string): number {
  let width = 0;
  for (const { segment } of segments.segment(text.replaceAll(ESCAPES, ''))) width += isWide(segment) ? 2 : 1;
  return width;
}

const segments = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
const isWide = (grapheme: string): boolean =>
  /^[\p{Emoji_Presentation}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u.test(grapheme);

/** Plain text cut to a number of columns. */
export function fit(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let cut = '';
  let width = 0;
  for (const { segment } of segments.segment(text)) {
    width += isWide(segment) ? 2 : 1;
    if (width > columns - 1) break;
    cut += segment;
  }
  return `${cut}…`;
}

/** What models, tools and customers wrote goes to a terminal without the power to steer it. */
// eslint-disable-next-line no-control-regex -- control characters are what is taken out
export const harmless = (text: string): string => text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '�');

export const oneLine = (text: string): string => harmless(text.replaceAll(/\s+/g, ' ').trim());
