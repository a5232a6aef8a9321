// Declarations of tools: what defineTool makes of them, and what it refuses when the module is loaded.
import { z } from 'zod';
import * as mini from 'zod/mini';
import { ToolError, defineTool } from '../../index.js';
import { type ToolSpec, isDefinedTool } from '../../tools/defineTool.js';
import { aCall, run, shown } from '../tools/context.js';

type AnySpec = ToolSpec<z.ZodType>;

const aSpec = (more: object = {}): AnySpec => ({
  name: 'refund',
  description: 'Pay money back.',
  input: z.object({ orderId: z.string(), amount: z.number() }),
  execute: () => 'ok',
  ...more,
});
const defining = (more: object) => () => defineTool(aSpec(more));

describe('a declaration', () => {
  test('that says nothing about effect and labels is irreversible and untrusted', () => {
    const { definition } = defineTool(aSpec());
    expect(definition).toMatchObject({
      effect: 'irreversible',
      labels: ['untrusted'],
      controls: [],
      external: false,
      timeoutMs: 60_000,
      maxAttempts: 4,
      source: 'module',
    });
  });

  test('shows models the JSON Schema of what zod takes in, not of what it makes of it', () => {
    const input = z.strictObject({ since: z.string().transform((s) => new Date(s)), limit: z.int().default(10) });
    expect(defineTool(aSpec({ input })).definition.input).toEqual({
      type: 'object',
      properties: {
        since: { type: 'string' },
        limit: expect.objectContaining({ type: 'integer', default: 10 }),
      },
      required: ['since'],
      additionalProperties: false,
    });
  });

  test('may give its input as JSON Schema, which models are shown as it stands', async () => {
    const input = { type: 'object', properties: { q: { type: 'string' } }, required: ['q'] };
    const tool = defineTool({ name: 'search', description: 'Search.', input, execute: (args) => args['q'] });
    expect(tool.definition.input).toEqual(input);
    expect(shown(await run(tool, { q: 'anvil' })).text).toBe('anvil');
  });

  test('may use zod/mini', async () => {
    const input = mini.object({ q: mini.string() });
    const tool = defineTool(aSpec({ input, execute: (args: { q: string }) => args.q }));
    expect(tool.definition.input).toMatchObject({ type: 'object', required: ['q'] });
    expect(shown(await run(tool, { q: 'anvil' })).text).toBe('anvil');
  });

  test('is recognised by a mark that copies of the package share', () => {
    expect(isDefinedTool(defineTool(aSpec()))).toBe(true);
    expect(Symbol.for('longhaul.tool') in defineTool(aSpec())).toBe(true);
    expect(isDefinedTool({ definition: {}, execute: () => undefined })).toBe(false);
    expect(isDefinedTool(null)).toBe(false);
  });

  test.each<[string, object, string]>([
    ['a name that models cannot use', { name: 'pay back' }, 'name: letters, digits, _ and -'],
    ['no description', { description: ' ' }, 'description is missing'],
    ['an unknown effect', { effect: 'harmless' }, 'effect: Invalid option'],
    ['an unknown label', { labels: ['secret'] }, 'labels.0: Invalid option'],
    ['no label at all', { labels: [] }, 'labels is empty'],
    [
      'a control that is no argument',
      { controls: ['orderID'] },
      'controls names orderID, which is no argument; did you mean orderId?',
    ],
    ['controls that are no list', { controls: 'orderId' }, 'controls: Invalid input'],
    ['a timeout without a unit', { timeout: '30' }, 'timeout "30" is no length of time'],
    ['no attempt', { attempts: 0 }, 'attempts: Too small'],
    ['a misspelt field', { efect: 'read' }, 'efect is no field; did you mean effect?'],
    ['no execute', { execute: undefined }, 'execute must be a function'],
    ['no input', { input: undefined }, 'input is missing'],
    ['input that is no object', { input: z.string() }, 'input must be an object schema'],
    [
      'input that is one of several objects',
      { input: z.union([z.object({}), z.object({})]) },
      'input must be an object schema',
    ],
    ['a type without a JSON form', { input: z.object({ at: z.date() }) }, 'input: Date cannot be represented'],
    [
      'an invalid JSON Schema',
      { input: { type: 'object', properties: { q: { type: 'text' } } } },
      'input is no valid JSON Schema',
    ],
    [
      'a pattern that the check of arguments cannot read',
      { input: z.object({ q: z.string().regex(new RegExp('^\\_a$')) }) },
      'input is no valid JSON Schema',
    ],
    ['a schema of zod 3', { input: { _def: {}, parse: () => undefined } }, 'input is a schema of zod 3'],
    ['reconcilable without reconcile', { effect: 'reconcilable' }, 'effect reconcilable needs a function reconcile'],
    [
      'reconcile that nobody would call',
      { effect: 'idempotent', reconcile: () => 'unknown' },
      'reconcile is for effect reconcilable',
    ],
  ])('with %s is refused by tool and field', (_, more, message) => {
    expect(defining(more)).toThrow(TypeError);
    expect(defining(more)).toThrow(
      `defineTool ${JSON.stringify((more as { name?: string }).name ?? 'refund')}: ${message}`,
    );
  });

  test.each<[string, z.ZodType, string]>([
    ['z.record', z.object({ headers: z.record(z.string(), z.string()) }), 'input.headers'],
    [
      'a record in a list',
      z.object({ rows: z.array(z.object({ cells: z.record(z.string(), z.number()) })) }),
      'input.rows[].cells',
    ],
    ['a loose object', z.looseObject({ a: z.string() }), 'input'],
    ['a catchall', z.object({ a: z.union([z.string(), z.object({}).catchall(z.string())]) }), 'input.a'],
  ])('with %s is refused, because models could put nothing into it', (_, input, where) => {
    expect(defining({ input })).toThrow(`defineTool "refund": ${where} takes any field`);
  });

  test('may have arguments that are called like keywords of JSON Schema', () => {
    const input = z.object({ propertyNames: z.string(), additionalProperties: z.boolean(), items: z.string() });
    expect(defining({ input })).not.toThrow();
  });
});

describe('execute', () => {
  test('is given what zod makes of the arguments', async () => {
    const tool = defineTool({
      name: 'since',
      description: 'd',
      input: z.object({ since: z.string().transform((s) => new Date(s)), limit: z.int().default(10) }),
      execute: (args) => `${args.since.getUTCFullYear()} ${args.limit}`,
    });
    expect(shown(await run(tool, { since: '2026-05-01T00:00:00Z' })).text).toBe('2026 10');
  });

  test('does not run when a rule of zod that JSON Schema cannot say is broken', async () => {
    const execute = jest.fn();
    const input = z.object({ iban: z.string().refine(async (s) => s.startsWith('DE'), 'no German account') });
    const settled = await run(defineTool({ name: 'pay', description: 'd', input, execute }), { iban: 'FR1' });
    expect(shown(settled)).toEqual({ text: 'The arguments do not fit: iban: no German account', isError: true });
    expect(execute).not.toHaveBeenCalled();
  });

  test('knows run, step, call and key', async () => {
    const ctx = aCall();
    const tool = defineTool(
      aSpec({
        input: z.object({}),
        execute: (_: unknown, c: typeof ctx) => [c.runId, c.step, c.toolCallId, c.idempotencyKey],
      }),
    );
    expect(JSON.parse(shown(await run(tool, {}, ctx)).text)).toEqual([
      ctx.runId,
      3,
      ctx.toolCallId,
      `${ctx.runId}:${ctx.toolCallId}`,
    ]);
  });

  test('that throws ToolError shows its text to the model', async () => {
    const tool = defineTool(
      aSpec({
        input: z.object({}),
        execute: () => {
          throw new ToolError('There is no order A-7.');
        },
      }),
    );
    expect(shown(await run(tool, {}))).toEqual({ text: 'There is no order A-7.', isError: true });
  });
});

test('arguments have the types of the schema', () => {
  expect.assertions(0); // the compiler is the judge
  const zod = { name: 'a', description: 'd', input: z.object({ n: z.string().transform(Number) }) };
  defineTool({ ...zod, execute: (args) => args.n.toFixed(2) });
  // @ts-expect-error there is no argument m
  defineTool({ ...zod, execute: (args) => args.m });
  const open = { name: 'a', description: 'd', input: { type: 'object' } };
  // @ts-expect-error what JSON Schema describes is unknown to the compiler
  defineTool({ ...open, execute: (args) => args['n'].toFixed(2) });
});
