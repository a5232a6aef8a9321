// The user's own module, loaded by compiled code in a process of its own: Jest would replace the loading under test.
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { aFolder, removeFolders } from './context.js';

const root = path.resolve(__dirname, '..', '..');
/** A compiled copy of this package, outside of the repository. */
let installed: string;
/** Where the user's module is: it has no node_modules. */
let home: string;

beforeAll(() => {
  installed = aFolder();
  home = aFolder();
  symlinkSync(path.join(root, 'node_modules'), path.join(installed, 'node_modules'));
  const config = {
    extends: path.join(root, 'tsconfig.json'),
    compilerOptions: {
      types: ['node'],
      typeRoots: [path.join(root, 'node_modules', '@types')],
      rootDir: root,
      outDir: path.join(installed, 'dist'),
      declaration: false,
    },
    include: [],
    files: ['index.ts', 'tools/registry.ts', 'tools/userModuleHooks.ts'].map((file) => path.join(root, file)),
  };
  writeFileSync(path.join(installed, 'tsconfig.json'), JSON.stringify(config));
  const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  execFileSync(process.execPath, [tsc, '-p', path.join(installed, 'tsconfig.json')], { stdio: 'inherit' });
  writeFileSync(path.join(installed, 'load.cjs'), LOAD);
});
afterAll(removeFolders);

// Loads each module named by the arguments, and runs each of its tools once with {x: 'hi'}.
const LOAD = `
const { createToolRegistry } = require('./dist/tools/registry.js');
const { runTool } = require('./dist/tools/execution.js');
const ctx = { signal: new AbortController().signal, idempotencyKey: 'k' };
async function load(userModule) {
  const registry = await createToolRegistry({ userModule });
  const results = {};
  for (const definition of registry.offered().filter((d) => d.source === 'module')) {
    const tool = registry.executorFor(definition);
    results[definition.name] = await runTool(tool, { x: 'hi' }, ctx, { timeoutMs: 5000 });
  }
  return { results };
}
(async () => {
  const loaded = [];
  for (const file of process.argv.slice(2)) loaded.push(await load(file).catch((err) => ({ error: err.message })));
  process.stdout.write(JSON.stringify(loaded));
})();
`;

function aModule(file: string, text: string): string {
  mkdirSync(path.dirname(path.join(home, file)), { recursive: true });
  writeFileSync(path.join(home, file), text);
  return path.join(home, file);
}

interface Loaded {
  results?: Record<string, unknown>;
  error?: string;
}

function loadAll(modules: readonly string[], cwd = home): Loaded[] {
  const args = [path.join(installed, 'load.cjs'), ...modules];
  return JSON.parse(execFileSync(process.execPath, args, { cwd, encoding: 'utf8' })) as Loaded[];
}
const load = (module: string, cwd?: string): Loaded => loadAll([module], cwd)[0] as Loaded;

const says = (text: string) => ({ kind: 'result', content: [{ type: 'text', text }], isError: false });

const ES = `
import { defineTool } from 'longhaul';
import { z } from 'zod';
export const tools = [defineTool({
  name: 'echo', description: 'Say it again.', input: z.object({ x: z.string() }), execute: ({ x }) => x,
})];
`;
const COMMONJS = `
const { defineTool } = require('longhaul');
const { z } = require('zod');
exports.tools = [defineTool({
  name: 'echo', description: 'Say it again.', input: z.object({ x: z.string() }), execute: ({ x }) => x,
})];
`;
const TYPED = `${ES}\nconst later: number = 1 as number;\nenum Colour { Red }\nexport { later, Colour };\n`;
const AWAITED = `await Promise.resolve();\n${ES}`;

describe('a module', () => {
  test.each<[string, string]>([
    ['a.ts', TYPED],
    ['a.mts', TYPED],
    ['a.cts', TYPED],
    ['b.js', COMMONJS],
    ['b.cjs', COMMONJS],
    ['es-in.js', ES],
    ['c.mjs', ES],
    ['awaited.mjs', AWAITED],
    ['awaited.mts', AWAITED],
    ['package/awaited.ts', AWAITED],
  ])('%s outside of any package finds longhaul and zod', (file, text) => {
    aModule('package/package.json', '{"type": "module"}');
    expect(load(aModule(file, text))).toEqual({ results: { echo: says('hi') } });
  });

  test('may be named relative to where the worker was started', () => {
    aModule('relative/tools.ts', ES);
    expect(load('relative/tools.ts')).toEqual({ results: { echo: says('hi') } });
  });

  test('loads the same from within this repository, whose tsconfig.json knows longhaul by another path', () => {
    const module = aModule('a.ts', TYPED);
    expect(load(module, root)).toEqual({ results: { echo: says('hi') } });
  });

  test('may export its tools by default', () => {
    aModule('parts/echo.ts', ES);
    const module = aModule('parts/index.ts', "import { tools } from './echo';\nexport default { tools };\n");
    expect(load(module)).toEqual({ results: { echo: says('hi') } });
  });

  test('may require more of itself when a tool runs', () => {
    aModule('lazy/words.ts', "import { ToolError } from 'longhaul';\nexport const word: string = typeof ToolError;\n");
    const module = aModule('lazy/tools.ts', ES.replace('({ x }) => x', "() => require('./words').word"));
    expect(load(module)).toEqual({ results: { echo: says('function') } });
  });

  test.each([
    ['errors.ts', ''],
    ['errors.mts', 'await Promise.resolve();'],
  ])('%s throws the errors that the worker knows', (file, before) => {
    const module = aModule(
      file,
      `${before}
      import { ToolError, ToolUnavailable, defineTool } from 'longhaul';
      const tool = (name: string, err: Error) => defineTool({
        name, description: 'Fails.', input: { type: 'object' }, execute() { throw err; },
      });
      export const tools = [tool('refuses', new ToolError('no')), tool('waits', new ToolUnavailable('busy', 1500))];`,
    );
    expect(load(module)).toEqual({
      results: {
        refuses: { kind: 'result', content: [{ type: 'text', text: 'no' }], isError: true },
        waits: { kind: 'unavailable', text: 'busy', retryAfterMs: 1500 },
      },
    });
  });
});

const fileOf = (i: number): string => path.join(home, `refused-${i}.ts`);

describe('a module that cannot be used is refused by file and reason:', () => {
  const refused: [string, string, string][] = [
    ['it is not TypeScript', 'const a: = 3;', 'cannot be loaded: Transform failed'],
    ['it imports what is not there', "import 'left-pad';", "cannot be loaded: Cannot find module 'left-pad'"],
    ['it throws', "throw new Error('no database');", 'cannot be loaded: no database'],
    ['it throws something else', "throw 'no database';", 'cannot be loaded: no database'],
    ['it exports no tools', 'export const tool = 1;', 'must export `tools`, an array of defineTool({…})'],
    ['it exports one tool', ES.replace('[', '').replace(/\];/, ';'), 'must export `tools`, an array'],
    [
      'a tool is not made by defineTool',
      'export const tools = [{ name: "x" }];',
      'tools[0] was not made by defineTool',
    ],
    ['a declaration is wrong', ES.replace("'echo'", "'an echo'"), 'defineTool "an echo": name: letters'],
    ['a name is there twice', `${ES}tools.push(tools[0]);`, 'defines echo, but that name is taken. Rename it.'],
    ['a name is one of ours', ES.replace("'echo'", "'ask_person'"), 'defines ask_person, but that name is taken'],
  ];
  let loaded: Loaded[];
  beforeAll(() => {
    loaded = loadAll(refused.map(([, text], i) => aModule(path.basename(fileOf(i)), text)));
  });

  test.each(refused.map(([why, , reason], i) => [why, reason, i] as const))('%s', (_, reason, i) => {
    expect(loaded[i]?.error).toContain(`LONGHAUL_TOOLS: ${fileOf(i)}`);
    expect(loaded[i]?.error).toContain(reason);
  });

  test('it is not there', () => {
    const nowhere = path.join(home, 'nowhere.ts');
    const error = `LONGHAUL_TOOLS: ${nowhere} cannot be loaded: Cannot find module '${nowhere}'`;
    expect(load(nowhere)).toEqual({ error });
  });
});
