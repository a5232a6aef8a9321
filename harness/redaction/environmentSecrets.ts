// Which variables of an environment hold secrets: by their names, and passwords within addresses.
import type { NamedValue } from './matcher.js';

const SECRET_NAME =
  /(^|_)(API_?KEY|KEYS?|SECRETS?|TOKENS?|PASSWORDS?|PASSWD|PASSPHRASE|PASS|CREDENTIALS?|AUTH|DSN|CANARY|CANARIES)(_|\d|$)/i;
/** The place of a file or of a socket. */
const PATH = /^[./~][^\s]*$/;

export function environmentSecrets(env: Readonly<Record<string, string | undefined>>): NamedValue[] {
  return Object.entries(env).flatMap(([name, value]) => {
    if (value === undefined || value === '') return [];
    const passwords = passwordsIn(value).map((password) => ({ name, value: password }));
    const isSecret = SECRET_NAME.test(name) && !PATH.test(value);
    return isSecret ? [{ name, value: value.trim() }, ...passwords] : passwords;
  });
}

/** As it stands in the address, and decoded. */
function passwordsIn(value: string): string[] {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(value) || !URL.canParse(value)) return [];
  const { password } = new URL(value);
  if (password === '') return [];
  try {
    return [...new Set([password, decodeURIComponent(password)])];
  } catch {
    return [password];
  }
}

/** Secrets in files: `NAME_FILE` says where the one of this name is. */
export const secretFiles = (env: Readonly<Record<string, string | undefined>>): { name: string; file: string }[] =>
  Object.entries(env).flatMap(([variable, file]) => {
    const name = variable.replace(/_FILE$/, '');
    return name !== variable && file !== undefined && PATH.test(file) && SECRET_NAME.test(name) ? [{ name, file }] : [];
  });
