// Canonical JSON is one text for one value, and a digest is of that text.
import fc from 'fast-check';
import { canonicalJson, digestOf, sha256Hex } from '../../harness/canonical.js';

test('keys are sorted by UTF-16 code units and nothing is spaced', () => {
  expect(canonicalJson({ b: [1, { d: null, c: 'x' }], a: true, '\u20ac': 1, '\r': 2 })).toBe(
    '{"\\r":2,"a":true,"b":[1,{"c":"x","d":null}],"€":1}',
  );
});

test('numbers have the one form of RFC 8785', () => {
  expect(canonicalJson([1e30, 4.5, 2e-3, 1e-27, -0, 1e21])).toBe('[1e+30,4.5,0.002,1e-27,0,1e+21]');
});

test.each([undefined, Number.NaN, Number.POSITIVE_INFINITY, { a: Number.NaN }, [Number.NEGATIVE_INFINITY]])(
  '%p has no canonical JSON',
  (value) => {
    expect(() => canonicalJson(value)).toThrow(/not allowed|no JSON form/);
  },
);

test('a field that is undefined is left out, as JSON.stringify does', () => {
  expect(canonicalJson({ a: undefined, b: 1 })).toBe('{"b":1}');
});

test('the SHA-256 of abc is the published one, of a text and of bytes', () => {
  const published = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
  expect(sha256Hex('abc')).toBe(published);
  expect(sha256Hex(new TextEncoder().encode('abc'))).toBe(published);
});

test('a digest does not depend on the order of keys, and reading the text back gives the same value', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
      const reversed = Object.fromEntries(Object.entries(value).toReversed());
      expect(digestOf(reversed)).toBe(digestOf(value));
      expect(canonicalJson(JSON.parse(canonicalJson(value)))).toBe(canonicalJson(value));
    }),
    { numRuns: 500 },
  );
});

test('values that differ in one character have different digests, broken surrogates included', () => {
  expect(digestOf({ a: '\ud800' })).not.toBe(digestOf({ a: '\ud801' }));
});
