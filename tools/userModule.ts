// Loads the user's own tools from the module that LONGHAUL_TOOLS names: TypeScript or JavaScript.
import Module from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { type DefinedTool, isDefinedTool } from './defineTool.js';

/** Throws with the file and the export that is wrong. */
export async function loadUserModule(file: string): Promise<DefinedTool[]> {
  const full = path.resolve(file);
  let exported: Record<string, unknown>;
  try {
    exported = await importModule(full);
  } catch (err) {
    throw new Error(`LONGHAUL_TOOLS: ${full} cannot be loaded: ${(err as Error).message}`, { cause: err });
  }
  const tools = exported['tools'] ?? (exported['default'] as { tools?: unknown } | undefined)?.tools;
  if (!Array.isArray(tools)) {
    throw new TypeError(`LONGHAUL_TOOLS: ${full} must export \`tools\`, an array of defineTool({…})`);
  }
  const stranger = tools.findIndex((tool) => !isDefinedTool(tool));
  if (stranger >= 0) throw new TypeError(`LONGHAUL_TOOLS: ${full}: tools[${stranger}] was not made by defineTool({…})`);
  return tools as DefinedTool[];
}

async function importModule(full: string): Promise<Record<string, unknown>> {
  const unhook = resolveLonghaulHere();
  try {
    if (full.endsWith('.mjs')) return (await import(pathToFileURL(full).href)) as Record<string, unknown>;
    const tsx = (await import('tsx/cjs/api')) as { require(id: string, from: string): Record<string, unknown> };
    return tsx.require(full, __filename);
  } finally {
    unhook();
  }
}

type Resolve = (request: string, ...rest: unknown[]) => string;

// A module outside of this package has no node_modules to find `longhaul` in; it means the one that loads it.
function resolveLonghaulHere(): () => void {
  const loader = Module as unknown as { _resolveFilename: Resolve };
  const original = loader._resolveFilename;
  loader._resolveFilename = function resolve(this: unknown, request, ...rest) {
    return request === 'longhaul' ? require.resolve('../index.js') : original.call(this, request, ...rest);
  };
  return () => {
    loader._resolveFilename = original;
  };
}
