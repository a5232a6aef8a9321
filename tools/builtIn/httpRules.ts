// Which rule of http_request a request falls under. An address that could mean two things falls under none.
import type { HttpMethod, HttpRule } from '../../contracts/httpRequest.js';

/** Why no rule can be asked about this address, or undefined. */
export function problemOfUrl(url: URL): string | undefined {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return `${url.protocol} is not http or https.`;
  if (url.username !== '' || url.password !== '') return 'An address with a user or a password in it is not taken.';
  // Some servers take these for / and \, and then for the way out of the allowed part.
  if (/%2f|%5c/i.test(url.pathname)) return 'A path with %2F or %5C in it is not taken.';
  return undefined;
}

export const ruleFor = (
  rules: readonly HttpRule[],
  { url, method }: { url: URL; method: HttpMethod },
): HttpRule | undefined => rules.find((rule) => rule.methods.includes(method) && covers(rule.url, url));

function covers(allowed: string, url: URL): boolean {
  const wild = allowed.includes('://*.');
  const base = new URL(wild ? allowed.replace('://*.', '://') : allowed);
  if (base.protocol !== url.protocol || base.port !== url.port) return false;
  const host = url.hostname.replace(/\.$/, '');
  if (wild ? !host.endsWith(`.${base.hostname}`) : host !== base.hostname) return false;
  const path = base.pathname;
  return path.endsWith('/')
    ? url.pathname.startsWith(path)
    : url.pathname === path || url.pathname.startsWith(`${path}/`);
}
