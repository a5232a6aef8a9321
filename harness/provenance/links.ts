// What in a text leads somewhere or to somebody: addresses of pages and mail, accounts to pay into. Every repetition has
// a bound: a text may be a megabyte of one letter.

const SCHEME = String.raw`(?:[a-z][a-z0-9+.-]{1,20}:\/\/|www\.)[^\s<>"'\x60{}|\\^]+`;
const MAIL = String.raw`[\p{L}\p{N}._%+-]{1,64}@[\p{L}\p{N}-]{1,63}(?:\.[\p{L}\p{N}-]{1,63})+`;
const ACCOUNT = String.raw`\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b|\b0x[0-9a-fA-F]{40}\b|\bbc1[a-z0-9]{25,60}\b`;
// Names of hosts without anything before them; any two letters are somebody's country.
const TOP =
  'com|net|org|info|biz|edu|gov|mil|int|io|ai|app|dev|xyz|top|site|online|shop|store|club|live|link|click|cloud|tech|page|blog|space|website|news|email|me|tv|cc|co|eu|ly|gg|to|[a-z]{2}';
const HOST = String.raw`(?<![\p{L}\p{N}@._-])(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.){1,20}(?:${TOP})(?![\p{L}\p{N}-]|\.[\p{L}\p{N}])(?:[:/?#][^\s<>"'\x60{}|\\^]*)?`;
const ACCOUNTS = new RegExp(ACCOUNT, 'gu');
const LINKS = new RegExp(`${MAIL}|${SCHEME}|${HOST}`, 'giu');

/** As they stand, without the punctuation of the sentence around them. */
export function linksIn(text: string): string[] {
  const plain = text.normalize('NFKC');
  const found = [...plain.matchAll(LINKS), ...plain.matchAll(ACCOUNTS)].map(([link]) => bare(link));
  return [...new Set(found)].filter((link) => link !== '');
}

const bare = (link: string): string => link.replace(/[).,;:!?\]»”’]+$/u, '');

/** Is the value one link and nothing else? */
export function isLink(value: string): boolean {
  const [first, ...more] = linksIn(value);
  return first !== undefined && more.length === 0 && bare(value.trim().normalize('NFKC')) === first;
}

/** The same for all ways to write one address. */
export const addressForm = (link: string): string =>
  link
    .toLowerCase()
    .replace(/^(?:https?|mailto):(?:\/\/)?/, '')
    .replace(/^www\./, '')
    .replace(/\/+$/, '')
    .replaceAll(' ', '');
