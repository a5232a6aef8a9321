// What a worker offers without a module of the user's, and which code is behind a run's frozen definition.
import type { ToolDefinition } from '../../contracts/tools.js';
import { toolDefinition } from '../../contracts/tools.js';
import { toolGroups } from '../../harness/agents/resolveTools.js';
import { type ToolRegistry, createToolRegistry, definitionHash } from '../../tools/registry.js';
import { aCall, run, shown } from './context.js';

let registry: ToolRegistry;
beforeAll(async () => {
  registry = await createToolRegistry({});
});
const offered = (name: string): ToolDefinition => registry.offered().find((d) => d.name === name) as ToolDefinition;

test('the built-in tools are offered in the order of their names, with complete definitions', () => {
  const names = registry.offered().map((d) => d.name);
  expect(names).toEqual([
    'ask_person',
    'http_request',
    'sleep_until',
    'workspace_edit',
    'workspace_list',
    'workspace_read',
    'workspace_write',
  ]);
  for (const definition of registry.offered()) {
    expect(toolDefinition.safeParse(definition).success).toBe(true);
    expect(definition.source).toBe('builtIn');
  }
});

test('the names that agents may use for several tools stand for tools that are offered', () => {
  for (const name of Object.values(toolGroups).flat()) expect(offered(name)).toBeDefined();
});

test('nothing built in is irreversible but a request to the world outside, and what a file says is untrusted', () => {
  const effects = Object.fromEntries(registry.offered().map((d) => [d.name, d.effect]));
  expect(effects).toEqual({
    ask_person: 'read',
    http_request: 'irreversible',
    sleep_until: 'read',
    workspace_edit: 'idempotent',
    workspace_list: 'read',
    workspace_read: 'read',
    workspace_write: 'idempotent',
  });
  expect(offered('workspace_read').labels).toEqual(['untrusted']);
  expect(offered('workspace_list').labels).toEqual(['untrusted']);
});

test('a question waits for a person, a sleep for a timer', async () => {
  expect(offered('ask_person').waits).toBe('person');
  expect(offered('sleep_until').waits).toBe('timer');
  const executor = registry.executorFor(offered('ask_person'));
  if (!executor) throw new Error('no executor');
  expect(shown(await run(executor, { question: 'May I?' }))).toMatchObject({ isError: true });
});

test('a definition that an agent made stricter still has its code', () => {
  const stricter = { ...offered('workspace_write'), effect: 'irreversible', timeoutMs: 1000 } as const;
  expect(registry.executorFor(stricter)?.definition.name).toBe('workspace_write');
});

test('a definition without code on this worker has none', () => {
  expect(registry.executorFor({ ...offered('workspace_read'), name: 'gone' })).toBeUndefined();
});

test("a tool of the user's module that is gone is not replaced by a built-in one of its name", () => {
  expect(registry.executorFor({ ...offered('workspace_read'), source: 'module' })).toBeUndefined();
});

test('an HTTP tool needs nothing but its definition', async () => {
  const definition: ToolDefinition = {
    ...offered('workspace_read'),
    name: 'remote',
    source: 'http',
    http: { url: 'http://127.0.0.1:1/' },
  };
  const executor = registry.executorFor(definition);
  if (!executor) throw new Error('no executor');
  expect(await run(executor, {}, aCall())).toMatchObject({ kind: 'unavailable' });
});

test('the hash of a definition does not depend on the order of its fields, and on everything else', () => {
  const definition = offered('workspace_read');
  const turned = Object.fromEntries(Object.entries(definition).toReversed()) as ToolDefinition;
  expect(definitionHash(turned)).toBe(definitionHash(definition));
  expect(definitionHash({ ...definition, description: `${definition.description} ` })).not.toBe(
    definitionHash(definition),
  );
  expect(definitionHash({ ...definition, timeoutMs: 1 })).not.toBe(definitionHash(definition));
});
