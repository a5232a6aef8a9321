// Loads the user's own tools from the module that LONGHAUL_TOOLS names: TypeScript or JavaScript.
import Module from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { type DefinedTool, isDefinedTool } from './defineTool.js';

/** Throws with the file and the export that is wrong. */
export async function loadUserModule(file: string): Promise<DefinedTool[]> {
  const full = path.resolve(file);
  let exported: Exports;
  try {
    exported = await importModule(full);
  } catch (err) {
    throw new Error(`LONGHAUL_TOOLS: ${full} cannot be loaded: ${describe(err)}`, { cause: err });
  }
  const tools = exported['tools'] ?? (exported['default'] as { tools?: unknown } | undefined)?.tools;
  if (!Array.isArray(tools)) {
    throw new TypeError(`LONGHAUL_TOOLS: ${full} must export \`tools\`, an array of defineTool({…})`);
  }
  const stranger = tools.findIndex((tool) => !isDefinedTool(tool));
  if (stranger >= 0) throw new TypeError(`LONGHAUL_TOOLS: ${full}: tools[${stranger}] was not made by defineTool({…})`);
  return tools as DefinedTool[];
}

type Exports = Record<string, unknown>;

async function importModule(full: string): Promise<Exports> {
  const tsx = await loader();
  try {
    return tsx.require(full, __filename) as Exports;
  } catch (err) {
    // What CommonJS cannot say is imported; everything else is required, so that one copy of this package is in use.
    if (!/top-level await/i.test(messageOf(err))) throw err;
    return importEsModule(full);
  }
}

async function importEsModule(full: string): Promise<Exports> {
  const { register } = await import('tsx/esm/api');
  const tsx = register({ namespace: 'longhaul-tools' });
  Module.register(pathToFileURL(require.resolve('./userModuleHooks.js')).href, {
    data: { entry: pathToFileURL(require.resolve('../index.js')).href },
  });
  return (await tsx.import(pathToFileURL(full).href, pathToFileURL(__filename).href)) as Exports;
}

type Resolve = (request: string, ...rest: unknown[]) => string;
type Loader = { require(id: string, from: string): unknown };

let loaded: Promise<Loader> | undefined;

/** Stays for the life of the process: a tool may require more when it runs (tsx does not reach its `import()`). */
function loader(): Promise<Loader> {
  loaded ??= import('tsx/cjs/api').then(({ register }) => {
    const tsx = register({ namespace: 'longhaul-tools' });
    resolveLonghaulHere();
    return tsx;
  });
  return loaded;
}

// A module outside of this package has no node_modules to find `longhaul` in; it means the one that loads it. zod it
// needs for defineTool, so ours is there where it has none. Laid over tsx, whose paths of a tsconfig.json come later.
function resolveLonghaulHere(): void {
  const node = Module as unknown as Record<'_resolveFilename', Resolve>;
  const { _resolveFilename: original } = node;
  node['_resolveFilename'] = function resolve(this: unknown, request, ...rest) {
    if (request === 'longhaul') return require.resolve('../index.js');
    try {
      return original.call(this, request, ...rest);
    } catch (err) {
      if (!/^zod(\/|$)/.test(request) || (err as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw err;
      return original.call(this, request, module);
    }
  };
}

const messageOf = (err: unknown): string => (err instanceof Error ? err.message : String(err));

/** Without the list of who required whom: those are files of tsx. */
const describe = (err: unknown): string => messageOf(err).replace(/\nRequire stack:[^]*/, '');
