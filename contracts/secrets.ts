// Secrets by reference: an agent file names them, `${secret:NAME}`, and a worker puts them in when it sends something.
import { z } from 'zod';

/** Name of an environment variable of the worker. */
export const secretName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,199}$/);

const REFERENCE = /\$\{secret:([A-Za-z_][A-Za-z0-9_]{0,199})\}/g;

/** Variables of Longhaul itself: an agent file that could name them could send them anywhere. */
const OWN = /^(LONGHAUL_|TEMPORAL_|ANTHROPIC_|DATABASE_URL$|PG)/;

/** A text in which `${secret:NAME}` stands for a secret. */
export const textWithSecrets = z
  .string()
  .max(4000)
  .superRefine((text, ctx) => {
    const refuse = (message: string): void => ctx.addIssue({ code: 'custom', message });
    if (text.replaceAll(REFERENCE, '').includes('${')) {
      refuse('a secret is written ${secret:NAME}, NAME being an environment variable of the worker');
    }
    const own = secretsIn(text).find((name) => OWN.test(name));
    if (own !== undefined) refuse(`${own} is a variable of Longhaul's own; no tool may be given it`);
    if (/[\r\n\0]/.test(text)) refuse('must be one line');
  });

export const secretsIn = (text: string): string[] => [...text.matchAll(REFERENCE)].map((match) => match[1] as string);

/** With the secrets put in. `secret` throws where there is none. */
export const withSecrets = (text: string, secret: (name: string) => string): string =>
  text.replaceAll(REFERENCE, (_, name: string) => secret(name));

/** The same for all values of a mapping. */
export const allWithSecrets = (
  texts: Readonly<Record<string, string>>,
  secret: (name: string) => string,
): Record<string, string> =>
  Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, withSecrets(text, secret)]));

const NOT_YOURS =
  /^(host|connection|content-length|transfer-encoding|upgrade|te|trailer|idempotency-key|longhaul-.*)$/i;

/** Headers that a worker sends with a request; values may hold secrets. */
export const headersWithSecrets = z.record(z.string(), textWithSecrets).superRefine((headers, ctx) => {
  for (const name of Object.keys(headers)) {
    const refuse = (message: string): void => ctx.addIssue({ code: 'custom', path: [name], message });
    if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/.test(name)) refuse('is no name of a header, such as authorization');
    else if (NOT_YOURS.test(name)) refuse('is set by Longhaul itself');
  }
});
