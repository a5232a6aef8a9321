// The ways in which somebody may spell a secret to get it past a filter: the test's own list, made without the product.

const reverse = (text: string): string => Array.from(text).toReversed().join('');
const every = (text: string, n: number, between: string): string =>
  text.match(new RegExp(`.{1,${n}}`, 'gs'))?.join(between) ?? '';
const hex = (text: string): string => Buffer.from(text).toString('hex');
const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** [how, text] */
export function spellings(secret: string): [string, string][] {
  const percent = hex(secret).replaceAll(/../g, '%$&');
  return [
    ['as it is', secret],
    ['upper case', secret.toUpperCase()],
    ['base64', base64(secret)],
    ['base64 behind one byte', base64(`x${secret}yz`)],
    ['base64 behind two bytes', base64(`xy${secret}z`)],
    ['base64 within a sentence', base64(`the password is ${secret}, keep it`)],
    ['base64url', Buffer.from(`?${secret}>`).toString('base64url')],
    ['base64 in lines', every(base64(secret), 8, '\r\n')],
    ['hex', hex(secret)],
    ['HEX', hex(secret).toUpperCase()],
    ['hex with colons', every(hex(secret), 2, ':')],
    ['hex with 0x', every(hex(secret), 2, ', 0x').replace(/^/, '0x')],
    ['hex escapes', hex(secret).replaceAll(/../g, '\\x$&')],
    ['URL', encodeURIComponent(secret)],
    ['URL, every character', percent],
    ['URL, twice', percent.replaceAll('%', '%25')],
    ['unicode escapes', Array.from(secret, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')],
    ['HTML entities', Array.from(secret, (c) => `&#${c.charCodeAt(0)};`).join('')],
    ['reversed', reverse(secret)],
    ['base64 of reversed', base64(reverse(secret))],
    ['reversed base64', reverse(base64(secret))],
    ['hex of reversed', hex(reverse(secret))],
    ['reversed hex', reverse(hex(secret))],
    ['over lines', every(secret, 5, '\n')],
    ['over JSON lines', JSON.stringify(every(secret, 5, '\n'))],
    ['with dashes', every(secret, 1, '-')],
    ['with spaces and dots', every(secret, 3, ' . ')],
    ['with zero-width spaces', every(secret, 2, '\u200b')],
    ['full-width', Array.from(secret, (c) => String.fromCharCode(c.charCodeAt(0) + 0xfee0)).join('')],
    ['with NUL', every(secret, 1, '\0')],
    ['as pieces of a JSON list', JSON.stringify(secret.match(/.{1,4}/g))],
    ['in Markdown', `**${every(secret, 6, '**`')}`],
  ];
}

/** For comparing: without case, white space and punctuation, which say nothing. */
export const strip = (text: string): string => text.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '');
