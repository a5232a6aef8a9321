// Texts inside of a text: what percent, base64 and hexadecimal runs say when they are decoded. Also encodings of encodings.

/** Runs shorter than this are words and numbers. */
const MIN_RUN = 12;
const MAX_DEPTH = 2;
/** Characters of decoded text kept per text; what is beyond is not looked into. */
const MAX_DECODED = 256 * 1024;

const BASE64 = /[A-Za-z0-9+/_-]{12,}={0,2}/g;
const HEX = /(?:0x|\\x)?[0-9a-fA-F]{2}(?:(?:[\s:,]|\\x|0x)?[0-9a-fA-F]{2}){5,}/g;
const PERCENT = /(?:%[0-9a-fA-F]{2})/;

export function decodedIn(text: string, depth = 0): string[] {
  if (depth >= MAX_DEPTH || text.length < MIN_RUN) return [];
  const found: string[] = [];
  let size = 0;
  const add = (decoded: string | undefined): void => {
    if (decoded === undefined || decoded === text || size > MAX_DECODED) return;
    size += decoded.length;
    found.push(decoded, ...decodedIn(decoded, depth + 1));
  };
  if (PERCENT.test(text)) add(percentDecoded(text));
  for (const [run] of text.matchAll(BASE64)) add(readable(Buffer.from(run, 'base64')));
  for (const [run] of text.matchAll(HEX)) add(readable(Buffer.from(run.replaceAll(/0x|\\x|[\s:,]/g, ''), 'hex')));
  return found;
}

/** The whole text with its percent runs decoded; a run that is no UTF-8 stays. */
function percentDecoded(text: string): string {
  return text.replaceAll(/(?:%[0-9a-fA-F]{2})+/g, (run) => {
    try {
      return decodeURIComponent(run);
    } catch {
      return run;
    }
  });
}

/** Bytes as text, if text is what they are. */
function readable(bytes: Buffer): string | undefined {
  if (bytes.length < 4) return undefined;
  const text = bytes.toString('utf8');
  if (text.includes('\uFFFD')) return undefined;
  // eslint-disable-next-line no-control-regex
  const odd = text.match(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/g)?.length ?? 0;
  return odd * 20 > text.length ? undefined : text;
}
