// The tools of an agent: found among the offered ones, made stricter only, HTTP tools checked whole.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { checkAgent } from '../../harness/agents/checkAgent.js';
import type { ToolDefinition } from '../../contracts/tools.js';
import { builtInTools } from '../../tools/builtIn/index.js';

const HEAD = 'name: a\nmodel: m\ninstructions: x\ntools:\n'; // four lines: the first tool stands on line 5

const offeredTool = (more: Partial<ToolDefinition> = {}): ToolDefinition => ({
  name: 'refund',
  description: 'Pays back.',
  input: { type: 'object', properties: { orderId: { type: 'string' }, amountUsd: { type: 'number' } } },
  effect: 'idempotent',
  labels: ['private'],
  controls: ['orderId'],
  external: true,
  timeoutMs: 60_000,
  maxAttempts: 4,
  source: 'module',
  ...more,
});

const offered = [...builtInTools.map((tool) => tool.definition), offeredTool()];

const check = (tools: string, known: readonly ToolDefinition[] = offered) => checkAgent(HEAD + tools, known);

function toolsOf(tools: string, known = offered): ToolDefinition[] {
  const checked = check(tools, known);
  if (!checked.ok) throw new Error(JSON.stringify(checked.errors));
  return checked.tools;
}

const errorsOf = (tools: string, known = offered) => {
  const checked = check(tools, known);
  return checked.ok ? [] : checked.errors;
};

const http = (more: string, name = 'pay'): string =>
  `  - name: ${name}\n    description: d\n    http: {url: "http://a"}\n${more}`;

test('tools come out sorted by name, a group as its members', () => {
  expect(toolsOf('  - workspace\n  - refund\n  - ask_person\n').map((t) => t.name)).toEqual([
    'ask_person',
    'refund',
    'workspace_edit',
    'workspace_list',
    'workspace_read',
    'workspace_write',
  ]);
});

test('a tool named without settings is the offered one', () => {
  expect(toolsOf('  - refund\n')).toEqual([offeredTool()]);
});

test('settings may be stricter than the tool', () => {
  const [tool] = toolsOf(
    '  - {name: refund, effect: irreversible, labels: [private, untrusted], controls: [amountUsd], timeout: 5s, attempts: 1, queue: pay}\n',
  );
  expect(tool).toMatchObject({
    effect: 'irreversible',
    labels: ['private', 'untrusted'],
    controls: ['orderId', 'amountUsd'],
    external: true,
    timeoutMs: 5000,
    maxAttempts: 1,
    queue: 'pay',
  });
});

test('a trusted tool may be made untrusted, and an internal one external', () => {
  const known = [offeredTool({ labels: ['trusted'], external: false })];
  const [tool] = toolsOf('  - {name: refund, labels: [untrusted], external: true}\n', known);
  expect(tool).toMatchObject({ labels: ['untrusted'], external: true });
});

test.each([
  ['effect', 'effect: read', 'tools[0].effect', 'refund is idempotent'],
  ['trust', 'labels: [private, trusted]', 'tools[0].labels', 'not trusted'],
  ['privacy', 'labels: [untrusted]', 'tools[0].labels', 'refund is private; keep that label'],
  ['reach', 'external: false', 'tools[0].external', 'refund is external'],
  ['time', 'timeout: 61s', 'tools[0].timeout', 'at most 60000 ms'],
  ['attempts', 'attempts: 5', 'tools[0].attempts', 'at most 4'],
  ['controls', 'controls: [orderld]', 'tools[0].controls[0]', 'did you mean orderId?'],
])('a looser setting is refused at its line: %s', (_title, setting, where, message) => {
  expect(errorsOf(`  - name: refund\n    ${setting}\n`)).toEqual([
    { path: where, line: 6, column: expect.any(Number), message: expect.stringContaining(message) },
  ]);
});

const reconcilable = (binding: string, effect = 'reconcilable'): string =>
  `  - name: pay\n    description: d\n    http: {url: "http://a", ${binding}}\n    input: {type: object}\n    effect: ${effect}\n`;

test('a reconcilable HTTP tool says where its service tells what became of a key', () => {
  const [tool] = toolsOf(reconcilable('reconcileUrl: "http://a/status", reconcileMethod: POST'));
  expect(tool?.http).toMatchObject({ reconcileUrl: 'http://a/status', reconcileMethod: 'POST' });
});

test.each([
  ['without an address', 'secret: K', 'reconcilable', 'tools[0].effect', 'give http.reconcileUrl'],
  ['with an address of no use', 'reconcileUrl: "http://a/s"', 'read', 'tools[0].http.reconcileUrl', 'pay is read'],
])(
  'an HTTP tool whose outcome cannot be asked is refused at its line: %s',
  (_title, binding, effect, where, message) => {
    expect(errorsOf(reconcilable(binding, effect))).toEqual([
      { path: where, line: expect.any(Number), column: expect.any(Number), message: expect.stringContaining(message) },
    ]);
  },
);

test('a tool that no worker offers yet is told apart, with what is offered and what was meant', () => {
  const checked = check('  - workspace\n  - refnd\n');
  expect(checked).toMatchObject({ ok: false, missingTools: ['refnd'] });
  const [error] = errorsOf('  - workspace\n  - refnd\n');
  expect(error).toMatchObject({ path: 'tools[1]', line: 6, column: 5 });
  expect(error?.message).toContain('no worker offers it yet: refnd; did you mean refund?');
  expect(error?.message).toContain('Offered: ask_person, http_request, refund,');
});

test('other errors name no missing tool', () => {
  expect(check('  - refund\n  - refund\n')).toMatchObject({ ok: false, missingTools: [] });
  expect(check('  - {name: refund, efect: read}\n')).toMatchObject({ ok: false, missingTools: [] });
});

test.each(['constructor', 'toString', '__proto__', 'hasOwnProperty'])('%s is a tool name like any other', (name) => {
  expect(check(`  - ${name}\n`)).toMatchObject({ ok: false, missingTools: [name] });
  expect(toolsOf(http('    input: {type: object}\n', name))[0]?.name).toBe(name);
});

test('the same tool twice is refused, also through a group', () => {
  expect(errorsOf('  - refund\n  - refund\n')).toMatchObject([{ path: 'tools[1]', line: 6 }]);
  expect(errorsOf('  - workspace\n  - workspace_read\n')).toMatchObject([
    { line: 6, message: 'workspace_read is there twice; keep one' },
  ]);
});

describe('an HTTP tool', () => {
  test('is irreversible, untrusted and external unless it says otherwise', () => {
    expect(toolsOf(http('    input: {type: object}\n'))[0]).toMatchObject({
      effect: 'irreversible',
      labels: ['untrusted'],
      external: true,
      controls: [],
      timeoutMs: 60_000,
      maxAttempts: 4,
      source: 'http',
    });
  });

  test.each(['refund', 'workspace', 'workspace_read', 'ask_person'])('cannot take the name %s', (name) => {
    const [error] = errorsOf(http('    input: {type: object}\n', name));
    expect(error).toMatchObject({ path: 'tools[0].name', line: 5, message: expect.stringContaining('choose another') });
  });

  test('cannot take the name of a built-in tool when no worker is up', () => {
    expect(errorsOf(http('    input: {type: object}\n', 'workspace_read'), [])).toHaveLength(1);
  });

  test.each([
    ['no object', '{type: string}', 'tools[0].input', 8, '`type: object`'],
    [
      'an unknown type',
      '\n      type: object\n      properties:\n        a: {type: nubmer}',
      'tools[0].input.properties.a.type',
      11,
      'one of array, boolean',
    ],
    [
      'properties that are none',
      '\n      type: object\n      properties: 5',
      'tools[0].input.properties',
      10,
      'must be object',
    ],
    [
      'a broken pattern',
      '{type: object, properties: {a: {type: string, pattern: "("}}}',
      'tools[0].input',
      8,
      'regular expression',
    ],
    [
      'a reference outside',
      '{type: object, properties: {a: {$ref: "http://x/y"}}}',
      'tools[0].input',
      8,
      'resolve reference',
    ],
    ['an unknown draft', '{$schema: "http://x/y", type: object}', 'tools[0].input', 8, 'http://x/y'],
    ['an asynchronous schema', '{type: object, $async: true}', 'tools[0].input', 8, '$async is not supported'],
  ])('is refused for %s, at its line', (_title, input, where, line, message) => {
    const [error] = errorsOf(http(`    input: ${input}\n`));
    expect(error).toMatchObject({ path: where, line, message: expect.stringContaining(message) });
  });

  test.each([
    'https://json-schema.org/draft/2020-12/schema',
    'https://json-schema.org/draft/2019-09/schema',
    'http://json-schema.org/draft-07/schema#',
  ])('may be written in %s', (draft) => {
    expect(errorsOf(http(`    input: {$schema: "${draft}", type: object}\n`))).toEqual([]);
  });

  test('has only its own arguments as controls', () => {
    const [error] = errorsOf(
      http('    input: {type: object, properties: {to: {type: string}}}\n    controls: [too]\n'),
    );
    expect(error).toMatchObject({ path: 'tools[0].controls[0]', line: 9 });
    expect(error?.message).toContain('too is no argument of pay; did you mean to? its arguments are to');
  });
});

test('examples/agents/file-clerk.yaml needs nothing but the built-in tools', () => {
  const file = path.resolve(__dirname, '../../examples/agents/file-clerk.yaml');
  const checked = checkAgent(readFileSync(file, 'utf8'), builtInTools.map((tool) => tool.definition)); // prettier-ignore
  if (!checked.ok) throw new Error(JSON.stringify(checked.errors));
  const write = checked.tools.find((t) => t.name === 'workspace_write');
  if (!write) throw new Error('no workspace_write');
  const facts = { agent: 'a', tenant: 't', now: new Date(), run: { steps: 0, toolCalls: 0, costUsd: 0, metadata: {} } };
  const verdict = (file_: string) => checked.policy.judge(write, { path: file_, content: '' }, facts).verdict;
  expect([verdict('notes/a.md'), verdict('report.md'), verdict('notes/../report.md')]).toEqual([
    'execute',
    'ask',
    'ask',
  ]);
});

describe('http_request', () => {
  const asking = (settings: string): string => `  - {name: http_request, ${settings}}\n`;

  test('that may only read is a read; that may write is irreversible, or idempotent where the file says so', () => {
    const rule = (methods: string) => `allow: [{url: "https://api.example/v1", methods: [${methods}]}]`;
    expect(toolsOf(asking('allow: [{url: "https://api.example"}]'))).toMatchObject([
      { effect: 'read', external: true, labels: ['untrusted'], controls: ['url', 'method'] },
    ]);
    expect(toolsOf(asking(rule('GET, POST')))).toMatchObject([{ effect: 'irreversible' }]);
    expect(toolsOf(asking(`${rule('PUT')}, effect: idempotent`))).toMatchObject([{ effect: 'idempotent' }]);
    expect(errorsOf(asking(`${rule('POST')}, effect: read`))).toMatchObject([{ path: 'tools[0].effect', line: 5 }]);
    expect(errorsOf(asking(`${rule('GET')}, effect: idempotent`))).toMatchObject([{ path: 'tools[0].effect' }]);
  });

  test('tells the model what it may ask, and offers no other method', () => {
    const [tool] = toolsOf(asking('allow: [{url: "https://api.example/v1", methods: [GET, POST]}]'));
    expect(tool?.description).toContain('Allowed: GET, POST https://api.example/v1.');
    expect(tool?.input).toMatchObject({ properties: { method: { enum: ['GET', 'POST'] } } });
  });

  test.each([
    ['without an allow-list', '  - http_request\n', 'tools[0].allow', 'needs the addresses that it may ask'],
    [
      'with an address that is none',
      asking('allow: [{url: "api.example"}]'),
      'tools[0].allow[0].url',
      'an address such as',
    ],
    [
      'with a misspelt field',
      asking('allow: [{url: "https://a", method: [GET]}]'),
      'tools[0].allow[0].method',
      'methods',
    ],
    [
      'with a secret in the file in place of its name',
      asking('allow: [{url: "https://a", headers: {authorization: "Bearer ${KEY}"}}]'),
      'tools[0].allow[0].headers.authorization',
      '${secret:NAME}',
    ],
    [
      'that would send a variable of Longhaul itself',
      asking('allow: [{url: "https://a", headers: {x: "${secret:ANTHROPIC_API_KEY}"}}]'),
      'tools[0].allow[0].headers.x',
      "Longhaul's own",
    ],
    [
      'that sets a header of the transport',
      asking('allow: [{url: "https://a", headers: {host: "b"}}]'),
      'tools[0].allow[0].headers',
      'is set by Longhaul itself',
    ],
    ['that takes too long', asking('allow: [{url: "https://a"}], timeout: 11m'), 'tools[0].timeout', 'at most 10m'],
  ])('%s is refused with what to write instead', (_, tools, where, message) => {
    const [error] = errorsOf(tools);
    expect(error?.path.startsWith(where)).toBe(true);
    expect(error?.message).toContain(message);
  });
});
