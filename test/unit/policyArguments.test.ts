// Arguments against a tool's schema: what passes, and what a model is told about the rest.
import fc from 'fast-check';
import { MAX_ARGUMENTS_BYTES, checkArguments } from '../../harness/policy/checkArguments.js';
import type { JsonSchema } from '../../contracts/tools.js';

const input: JsonSchema = {
  type: 'object',
  properties: {
    orderId: { type: 'string', pattern: '^RD-' },
    amountUsd: { type: 'number', exclusiveMinimum: 0 },
    currency: { enum: ['USD', 'EUR'] },
    lines: { type: 'array', items: { type: 'object', properties: { qty: { type: 'integer' } }, required: ['qty'] } },
  },
  required: ['orderId', 'amountUsd'],
  additionalProperties: false,
};
const refund = { name: 'refund', input };
const right = { orderId: 'RD-1', amountUsd: 5 };

const told = (args: unknown, schema = input): string => {
  const checked = checkArguments({ name: 'refund', input: schema }, args);
  return checked.ok ? '' : checked.message;
};

test('arguments that fit the schema pass', () => {
  expect(checkArguments(refund, { ...right, currency: 'EUR', lines: [{ qty: 2 }] })).toEqual({ ok: true });
});

test.each([
  ['a missing one', { orderId: 'RD-1' }, 'amountUsd is missing'],
  ['a missing one inside', { ...right, lines: [{ qty: 1 }, {}] }, 'lines.1.qty is missing'],
  ['a wrong type', { ...right, amountUsd: '5' }, 'amountUsd must be number'],
  ['a wrong type inside', { ...right, lines: [{ qty: 1.5 }] }, 'lines.0.qty must be integer'],
  ['one that is none', { ...right, amuontUsd: 5 }, 'amuontUsd is not an argument; did you mean amountUsd?'],
  ['a value outside of the choice', { ...right, currency: 'usd' }, 'currency must be one of ["USD","EUR"]'],
  ['a value out of range', { ...right, amountUsd: 0 }, 'amountUsd must be > 0'],
  ['a value of another form', { ...right, orderId: '1' }, 'orderId must match pattern'],
])('the model is told the field and what is expected: %s', (_title, args, message) => {
  expect(told(args)).toContain(message);
  expect(told(args)).toContain('refund takes: orderId, amountUsd, currency, lines.');
  expect(told(args)).toContain('Nothing was executed; correct the arguments and call again.');
});

test('all wrong fields are named at once', () => {
  const text = told({ amountUsd: 'x', extra: 1 });
  expect(text).toContain('orderId is missing');
  expect(text).toContain('extra is not an argument');
  expect(text).toContain('amountUsd must be number');
});

test.each([[undefined], [null], ['{"orderId":1}'], [5], [[]]])('%p is no arguments', (args) => {
  expect(told(args)).toContain('must be a JSON object');
});

test('arguments above 1 MiB are refused with their size', () => {
  expect(told({ ...right, orderId: 'RD-'.padEnd(MAX_ARGUMENTS_BYTES, 'x') })).toMatch(
    /have \d{7} bytes; at most 1048576/,
  );
});

test('numbers that JSON text can hold and doubles cannot, broken characters and deep nesting are refused', () => {
  const free: JsonSchema = { type: 'object' };
  expect(told(JSON.parse('{"a":1e400}'), free)).toContain('a: Infinity is not a number that JSON has');
  expect(told({ a: ['\ud800'] }, free)).toContain('a.0: holds half of a character');
  expect(told({ '\udc00': 1 }, free)).toContain('field name');
  expect(told(JSON.parse(`${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`), free)).toContain('nested too deeply');
});

test('names that every object inherits are no arguments', () => {
  expect(told({}, { type: 'object', required: ['constructor'] })).toContain('constructor is missing');
  expect(told(JSON.parse('{"__proto__":1}'), { type: 'object', additionalProperties: false })).toContain('__proto__');
});

test('an asynchronous schema lets nothing through', () => {
  expect(told({}, { type: 'object', $async: true, required: ['a'] })).toContain('schema cannot be used');
});

test('a tuple of draft 2020-12 is checked', () => {
  const tuple: JsonSchema = {
    type: 'object',
    properties: { at: { type: 'array', prefixItems: [{ type: 'number' }] } },
  };
  expect(told({ at: ['x'] }, tuple)).toContain('at.0 must be number');
  expect(told({ at: [1] }, tuple)).toBe('');
});

test('an unknown format is no error', () => {
  expect(told({ a: 'x' }, { type: 'object', properties: { a: { type: 'string', format: 'email' } } })).toBe('');
});

test('the text stays short and on one line, however much is wrong', () => {
  const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`argument\n${i}`.repeat(50), i]));
  const names = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`property_${i}`, { type: 'string' }]));
  const text = told(many, { type: 'object', properties: names, additionalProperties: false });
  expect(text.length).toBeLessThanOrEqual(1500);
  expect(text).not.toContain('\n');
  expect(text).toContain('Nothing was executed');
});

/** Any UTF-16 code unit, so that texts hold halves of characters too. */
const codeUnit = fc.nat(0xffff).map((code) => String.fromCharCode(code));

test('no JSON value makes the check fail', () => {
  expect.hasAssertions();
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: codeUnit }), (value) => {
      const checked = checkArguments(refund, value);
      const text = checked.ok ? '' : checked.message;
      expect([text.isWellFormed(), text.length <= 1500]).toEqual([true, true]);
    }),
    { numRuns: 2000 },
  );
});
