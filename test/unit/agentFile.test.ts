// Agent files: what is accepted, and for everything else the line, the field and the remedy.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { MAX_AGENT_FILE, type ParseOptions, parseAgent } from '../../harness/agents/parseAgent.js';
import { pathOf, pathText } from '../../harness/agents/filePosition.js';

const HEAD = 'name: a\nmodel: m\ninstructions: x\n'; // three lines: what follows begins on line 4

const errorsOf = (text: string, options?: ParseOptions) => {
  const parsed = parseAgent(text, options);
  return parsed.ok ? [] : parsed.errors;
};

const versionOf = (text: string, options?: ParseOptions): string => {
  const parsed = parseAgent(text, options);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return parsed.version;
};

describe('a valid file', () => {
  test('gets every default', () => {
    const parsed = parseAgent(HEAD);
    expect(parsed).toMatchObject({
      ok: true,
      definition: {
        tools: [],
        approve: [],
        maxOutputTokens: 16_000,
        approvals: { expiresAfter: '3d', onExpiry: 'reject', signals: true },
        limits: { maxSteps: 100, maxCostUsd: '5.00', deadline: '7d' },
      },
    });
  });

  test('has the same version whatever its comments, spacing, order and line ends are', () => {
    const version = versionOf(HEAD);
    expect(version).toMatch(/^[0-9a-f]{64}$/);
    expect(versionOf(`# a comment\n\n${HEAD}`)).toBe(version);
    expect(versionOf('model:   m\ninstructions: "x"\nname: a')).toBe(version);
    expect(versionOf(HEAD.replaceAll('\n', '\r\n'))).toBe(version);
    expect(versionOf(`\ufeff${HEAD}`)).toBe(version);
    expect(versionOf(`${HEAD}maxOutputTokens: 16000\n`)).toBe(version);
    expect(versionOf(`${HEAD}maxOutputTokens: 16001\n`)).not.toBe(version);
  });

  test('may be JSON, with tabs and escapes, and has the same version as in YAML', () => {
    const json = '{\n\t"name": "a",\n\t"model": "\\u006d",\n\t"instructions": "x"\n}';
    expect(versionOf(json)).toBe(versionOf(HEAD));
    expect(versionOf(json, { mediaType: 'json' })).toBe(versionOf(HEAD));
  });

  test('may use an anchor a few times', () => {
    expect(errorsOf('name: &n a\nmodel: *n\ninstructions: *n\n')).toEqual([]);
  });

  test('is what examples/agents holds', () => {
    const file = path.resolve(__dirname, '../../examples/agents/file-clerk.yaml');
    expect(errorsOf(readFileSync(file, 'utf8'))).toEqual([]);
  });
});

// title, text after HEAD, path, line, column, part of the message
const fields: [string, string, string, number, number, string][] = [
  ['an unknown field', 'tols: []\n', 'tols', 4, 1, 'unknown field tols; did you mean tools?'],
  ['an unknown limit', 'limits:\n  maxstep: 4\n', 'limits.maxstep', 5, 3, 'did you mean maxSteps?'],
  ['an unknown field of approvals', 'approvals: {onExpire: reject}\n', 'approvals.onExpire', 4, 13, 'onExpiry?'],
  ['a misspelt value', 'effort: hihg\n', 'effort', 4, 9, 'hihg is not one of low, medium, high'],
  ['a number too small', 'limits:\n  maxSteps: 0\n', 'limits.maxSteps', 5, 13, 'at least 1'],
  ['a number too large', 'limits:\n  parallelTools: 65\n', 'limits.parallelTools', 5, 18, 'at most 64'],
  ['money as a number', 'limits:\n  maxCostUsd: 5\n', 'limits.maxCostUsd', 5, 15, 'put it in quotes: "5"'],
  ['money with a sign', 'limits: {maxCostUsd: "$5"}\n', 'limits.maxCostUsd', 4, 22, 'decimal string, such as "5.00"'],
  ['a length of time in words', 'limits:\n  deadline: soon\n', 'limits.deadline', 5, 13, 'such as 30s, 15m'],
  ['a list where one is missing', 'tools:\n', 'tools', 4, 7, 'must be a list, and this is empty'],
  ['a mapping for a list', 'tools: {a: b}\n', 'tools', 4, 8, 'must be a list, and this is a mapping'],
  ['a tool that is a number', 'tools:\n  - a\n  - 5\n', 'tools[1]', 6, 5, 'a tool is a name, or a mapping'],
  ['a tool that is nothing', 'tools:\n  -\n', 'tools[0]', 5, 4, 'this is empty'],
  ['a tool name with spaces', 'tools:\n  - "a b"\n', 'tools[0]', 5, 5, 'letters, digits, _ and -'],
  ['a tool without a name', 'tools:\n  - effect: read\n', 'tools[0].name', 5, 5, 'is missing; give a text'],
  ['a misspelt setting', 'tools:\n  - name: t\n    efect: read\n', 'tools[0].efect', 6, 5, 'did you mean effect?'],
  ['a misspelt effect', 'tools:\n  - name: t\n    effect: idempotnt\n', 'tools[0].effect', 6, 13, 'idempotent?'],
  ['labels without any', 'tools:\n  - {name: t, labels: []}\n', 'tools[0].labels', 5, 23, 'at least 1'],
  [
    'a rule without a condition',
    'approve:\n  - reason: x\n',
    'approve[0]',
    5,
    5,
    'give at least one of tool, effect, when',
  ],
  ['a misspelt rule', 'approve:\n  - tool: x\n    wen: y\n', 'approve[0].wen', 6, 5, 'did you mean when?'],
  ['a tag', 'description: !!binary aGk=\n', 'description', 4, 23, 'without a tag'],
  [
    'infinity',
    'tools:\n  - {name: t, description: d, http: {url: "http://a"}, input: {x: .inf}}\n',
    'tools[0].input.x',
    5,
    67,
    'not a number that JSON has',
  ],
  [
    'a number beyond doubles',
    'tools:\n  - {name: t, description: d, http: {url: "http://a"}, input: {x: 1e400}}\n',
    'tools[0].input.x',
    5,
    67,
    'not a number',
  ],
];

describe('an error names field, line, column and remedy:', () => {
  test.each(fields)('%s', (_title, text, where, line, column, message) => {
    expect(errorsOf(HEAD + text)[0]).toEqual({
      path: where,
      line,
      column,
      message: expect.stringContaining(message),
    });
  });

  test('missing fields stand at the mapping that lacks them', () => {
    expect(errorsOf('name: a\n')).toEqual([
      { path: 'model', line: 1, column: 1, message: 'is missing; give a text' },
      {
        path: 'instructions',
        line: 1,
        column: 1,
        message: 'is missing; give one text, or named sections with a text each',
      },
    ]);
  });

  test('instructions are one text or sections', () => {
    const of = (text: string) => errorsOf(`name: a\nmodel: m\ninstructions: ${text}`)[0];
    expect(of('5')).toMatchObject({ line: 3, message: expect.stringContaining('one text, or named sections') });
    expect(of('[a]')).toMatchObject({ line: 3, message: expect.stringContaining('this is a list') });
    expect(of('""')).toMatchObject({ line: 3, message: 'must not be empty' });
    expect(of('\n  role: x\n  a.b: ""\n')).toMatchObject({ path: 'instructions["a.b"]', line: 5 });
  });

  test('an HTTP tool with several mistakes is told each of them, and never that http is unknown', () => {
    const text = 'tools:\n  - http: {url: nope, secrt: X}\n    efect: read\n';
    expect(errorsOf(HEAD + text).map((e) => [e.path, e.line])).toEqual([
      ['tools[0].name', 5],
      ['tools[0].description', 5],
      ['tools[0].input', 5],
      ['tools[0].http.url', 5],
      ['tools[0].http.secrt', 5],
      ['tools[0].efect', 6],
    ]);
  });

  test('a secret in the place of its variable is refused without being repeated', () => {
    const tool = '{name: t, description: d, input: {type: object}, http: {url: "http://a", secret: "sk-live-12"}}';
    const [error] = errorsOf(`${HEAD}tools:\n  - ${tool}\n`);
    expect(error).toMatchObject({ path: 'tools[0].http.secret', line: 5 });
    expect(error?.message).toContain('name of an environment variable');
    expect(error?.message).not.toContain('sk-live-12');
  });
});

// title, text, line, column, part of the message
const syntax: [string, string, number, number, string][] = [
  ['a file without content', '', 1, 1, 'an agent file is a mapping'],
  ['a list', '- a\n', 1, 1, 'an agent file is a mapping'],
  ['a tab as indent', 'name: a\n\tmodel: m', 2, 1, 'use spaces'],
  ['a quote without end', 'name: a\nmodel: "m\n', 3, 1, 'quote'],
  ['a bracket without end', `${HEAD}tools: [a\n`, 5, 1, ']'],
  ['a field given twice', `${HEAD}name: b\n`, 4, 1, 'name is there twice, first on line 1; keep one'],
  ['a nested field given twice', `${HEAD}limits:\n  maxSteps: 1\n  maxSteps: 2\n`, 6, 3, 'first on line 5'],
  ['two documents', `${HEAD}---\nname: b\n`, 4, 1, 'one agent to a file'],
  ['an alias of nothing', `${HEAD}tools: *nope\n`, 4, 8, 'no anchor &nope'],
  ['an unknown tag', `${HEAD}description: !foo bar\n`, 4, 14, 'remove the tag'],
  ['a mapping as a field name', `${HEAD}? {a: 1}\n: x\n`, 4, 3, 'a field name must be a text'],
  ['the name __proto__', `${HEAD}__proto__: x\n`, 4, 1, '__proto__ cannot be a name'],
  ['a NUL character', `${HEAD}description: a\0b\n`, 4, 15, 'NUL'],
  ['an escaped NUL', `${HEAD}description: "a\\0b"\n`, 4, 14, 'NUL'],
  ['half of a character', '{"name":"a","model":"m",\n"instructions":"\\ud800"}', 2, 16, 'lone surrogate'],
];

describe('YAML that is none, or that no agent may hold, is refused with its line:', () => {
  test.each(syntax)('%s', (_title, text, line, column, message) => {
    expect(errorsOf(text)[0]).toMatchObject({ line, column, message: expect.stringContaining(message) });
  });

  test('JSON takes neither comments nor trailing commas', () => {
    const json = { mediaType: 'json' } as const;
    expect(errorsOf('{"name":"a","model":"m",\n"instructions":"x",}', json)[0]).toMatchObject({ line: 2 });
    expect(errorsOf('# c\n{"name":"a","model":"m","instructions":"x"}', json)[0]?.message).toContain('not JSON');
    expect(errorsOf(HEAD, json)[0]).toMatchObject({ line: 1, message: expect.stringContaining('not JSON') });
  });
});

describe('a file made to harm is refused soon and with few errors:', () => {
  const level = (name: string, below: string): string => `${name}: &${name} [${`*${below},`.repeat(9)}]\n`;
  const deep = (n: number): string =>
    `${HEAD}tools:\n  - {name: t, description: d, http: {url: "http://a"}, input: ${'{a: '.repeat(n)}1${'}'.repeat(n)}}\n`;
  test.each([
    ['too large', 'x'.repeat(MAX_AGENT_FILE + 1), 'at most 262144 bytes'],
    ['aliases of aliases', `a: &a [x]\n${level('b', 'a')}${level('c', 'b')}${level('d', 'c')}`, 'too many aliases'],
    ['an alias of itself', `${HEAD}tools: &t [*t]\n`, 'nested too deeply'],
    ['nested beyond the limit', deep(70), 'nested too deeply'],
    ['brackets without end', '['.repeat(200_000), 'nested too deeply'],
    ['lists in lists', '- '.repeat(100_000), 'nested too deeply'],
    ['unknown fields', Array.from({ length: 20_000 }, (_, i) => `k${i}: x\n`).join(''), 'is missing'],
    ['one field many times', 'a: 1\n'.repeat(40_000), 'a is there twice'],
  ])('%s', (_title, text, message) => {
    const errors = errorsOf(text);
    expect(errors[0]?.message).toContain(message);
    expect(errors.length).toBeLessThanOrEqual(20);
  });
});

test('any text is a definition or a list of errors, never an exception', () => {
  expect.hasAssertions();
  const line = fc.constantFrom(
    'name: a', 'model: m', 'instructions: x', 'tools:', '  - a', '  - {name: b}', 'approve:', '  - &r {tool: a}',
    '  - *r', 'limits: {}', '? x', ': y', '---', '\t', '"', '[', '}', '!!set', '<<: *r', '~: 1', '# c', '|', '>-',
  ); // prettier-ignore
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(line, { maxLength: 15 }).map((l) => l.join('\n')),
  );
  fc.assert(
    fc.property(text, (source) => {
      const parsed = parseAgent(source);
      expect(parsed.ok || parsed.errors.length > 0).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test('a path is read back as it was written', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.nat(), fc.string({ minLength: 1 })), { minLength: 1 }), (parts) => {
      expect(pathOf(pathText(parts))).toEqual(parts);
    }),
  );
});
