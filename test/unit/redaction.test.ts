// Secrets are found however they are spelt, wherever they stand, and ordinary text is left alone.
import { createHash, randomBytes } from 'node:crypto';
import { Redactor } from '../../harness/redaction/redactor.js';
import { weaknessOf } from '../../harness/redaction/secretRule.js';
import { spellings, strip } from '../support/spellings.js';

const made = (i: number): string =>
  createHash('sha256')
    .update(`canary ${i}`)
    .digest('base64url')
    .slice(0, 20 + (i % 20));
const secrets = Array.from({ length: 200 }, (_, i) => ({ name: `SECRET_${i}`, value: made(i) }));
const redactor = new Redactor();
for (const { name, value } of secrets) redactor.know(name, value);

const spelt = secrets.flatMap(({ name, value }) => spellings(value).map(([how, text]) => ({ name, how, text, value })));

test('200 secrets in every spelling are removed from the middle of a text, and named', () => {
  const missed = spelt.filter(({ name, text }) => {
    const { value, names } = redactor.text(`The answer is: ${text} and that is all.`);
    return !names.includes(name) || strip(value).includes(strip(text));
  });
  expect(missed.map(({ name, how }) => `${name} ${how}`)).toEqual([]);
});

test('what stands around a secret stays', () => {
  const { value } = redactor.text(`before ${made(3)} after`);
  expect(value).toBe('before [redacted:SECRET_3] after');
});

test('a secret that is split over fields, items and names of fields is removed from all of them', () => {
  const secret = made(7);
  const [a, b, c] = [secret.slice(0, 7), secret.slice(7, 14), secret.slice(14)];
  const { value, names } = redactor.json({ first: a, list: [{ [b]: 1 }, c], other: 'kept' });
  expect(names).toEqual([]); // not side by side: the names of fields stand between
  const side = redactor.json({ list: [a, b, c], other: 'kept' });
  expect(side.names).toEqual(['SECRET_7']);
  expect(strip(JSON.stringify(side.value))).not.toContain(strip(c));
  expect(side.value).toMatchObject({ other: 'kept' });
  expect(value).toMatchObject({ other: 'kept' });
  expect(redactor.json({ subject: a + b, body: c }).names).toEqual(['SECRET_7']);
  expect(redactor.json({ [secret]: { n: 5, no: null, yes: true } }).value).toEqual({
    '[redacted:SECRET_7]': { n: 5, no: null, yes: true },
  });
});

test('a stream of any cut lets no secret through in parts, and loses nothing else', () => {
  const leaks: string[] = [];
  for (const { name, how, text } of spelt.filter((_, i) => i % 11 === 0)) {
    for (const size of [1, 2, 3, 5, 8, 13]) {
      const whole = `It reads: ${text} , and more words follow here.`;
      const stream = redactor.stream();
      let shown = '';
      for (let from = 0; from < whole.length; from += size) shown += stream.add(whole.slice(from, from + size));
      shown += stream.end();
      if (strip(shown).includes(strip(text))) leaks.push(`${name} ${how} in ${size}`);
      if (!/^It reads: .{0,40}\[redacted:/s.test(shown) || !shown.endsWith(', and more words follow here.'))
        leaks.push(`${how}: ${shown}`);
    }
  }
  expect(leaks).toEqual([]);
});

test('a stream holds nothing back for long that is no secret', () => {
  const stream = redactor.stream();
  const text = 'Plain words, one after another, and none of them is a secret at all. '.repeat(20);
  expect(text.length - stream.add(text).length).toBeLessThan(30);
});

test('of a secret in the middle of which a text was cut off, nothing is shown where it is half of it or more', () => {
  for (const { name, text, how } of spelt.filter((_, i) => i % 13 === 0)) {
    const { names } = redactor.text(`It reads ${text}`.slice(0, -5));
    expect([how, names]).toEqual([how, [name]]);
  }
  expect(redactor.text(`It reads ${made(2).slice(0, 7)}`).names).toEqual([]);
});

test('a long secret, such as a private key, is found in parts as well', () => {
  const key = `-----BEGIN PRIVATE KEY-----\n${randomBytes(600).toString('base64').replaceAll(/.{64}/g, '$&\n')}\n-----END PRIVATE KEY-----`;
  const one = new Redactor();
  one.know('KEY', key);
  const lines = key.split('\n');
  expect(one.text(key).value).not.toContain(lines[3]);
  expect(one.text(JSON.stringify({ key })).names).toEqual(['KEY']);
  expect(one.text(`${lines[3]}${lines[4]}`).names).toEqual(['KEY']);
  expect(one.text('-----BEGIN PRIVATE KEY-----').names).toEqual([]);
});

test('ordinary texts are left as they are', () => {
  const texts = [
    'The quick brown fox jumps over the lazy dog. 0123456789',
    JSON.stringify({ id: 'run_01M85527Y121R67S1W4GETJEVZ', at: '2026-11-23T21:30:28.225Z', hash: 'ab'.repeat(32) }),
    randomBytes(20_000).toString('base64'),
    randomBytes(20_000).toString('hex'),
    '%41%42 &amp; \\u0041 \\\\ & % \\',
  ];
  for (const text of texts) expect(redactor.text(text)).toEqual({ value: text, names: [] });
  for (const text of texts) expect(redactor.json({ text }).value).toEqual({ text });
});

test('a process that knows no secret gives back what it was given', () => {
  const value = { a: [1, 'x'] };
  expect(new Redactor().json(value).value).toBe(value);
  expect(redactor.json(value).value).toBe(value);
});

test.each([
  ['short1', 'fewer than 8'],
  ['longhaul', 'all of one kind'],
  ['aaaaaaaaaaaaaaaaaaaa1', 'different characters'],
  ['1234567890', 'all of one kind'],
])('%s is too weak to be looked for: %s', (value, why) => {
  expect(weaknessOf(value)).toContain(why);
  const one = new Redactor();
  expect(one.know('WEAK', value)).toContain(why);
  expect(one.text(`it is ${value}`).names).toEqual([]);
});

test('a secret of punctuation and few letters is found as it is', () => {
  const one = new Redactor();
  const secret = '!$x=?&7*#"<\'>%';
  expect(one.know('ODD', secret)).toBeUndefined();
  for (const text of [
    secret,
    JSON.stringify(secret),
    encodeURIComponent(secret),
    Buffer.from(secret).toString('base64'),
  ])
    expect([text, one.text(`v ${text} v`).names]).toEqual([text, ['ODD']]);
});
