// Where the service is and which key to use: options first, then the environment, then the data folder beside us.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { UsageError } from './errors.js';

export interface Connection {
  url: string;
  key: string;
}

const DEFAULT_URL = 'http://127.0.0.1:8080';

export function connectionOf(
  options: { url?: string | undefined; key?: string | undefined },
  env: Readonly<Record<string, string | undefined>>,
): Connection {
  const given = options.url ?? present(env['LONGHAUL_URL']) ?? DEFAULT_URL;
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new UsageError(`${given} is no address such as ${DEFAULT_URL} (--url, LONGHAUL_URL)`);
  }
  const key = options.key ?? present(env['LONGHAUL_API_KEY']) ?? localAdminKey(env);
  return { url: url.href.replace(/\/+$/, ''), key };
}

function localAdminKey(env: Readonly<Record<string, string | undefined>>): string {
  const file = path.join(path.resolve(present(env['LONGHAUL_DATA_DIR']) ?? '.longhaul'), 'admin-key');
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    throw new UsageError(
      `There is no API key. Give --key or set LONGHAUL_API_KEY; on the service's own machine run this in the folder ` +
        `where it was started, or set LONGHAUL_DATA_DIR (looked for ${file}).`,
    );
  }
}

const present = (value: string | undefined): string | undefined => (value === '' ? undefined : value);
