// Runs in Node's loader thread while a module with ES syntax only is imported: finds `longhaul` (and zod) for it.
interface Hooked {
  /** URL of this package's entry. */
  entry: string;
}
type Next = (specifier: string, context: object) => Promise<{ url: string; format?: string; shortCircuit?: boolean }>;

let hooked: Hooked | undefined;

export function initialize(data: Hooked): void {
  hooked = data;
}

export async function resolve(specifier: string, context: object, next: Next): ReturnType<Next> {
  if (!hooked) return next(specifier, context);
  if (specifier === 'longhaul') return { url: hooked.entry, format: 'commonjs', shortCircuit: true };
  try {
    return await next(specifier, context);
  } catch (err) {
    if (!/^zod(\/|$)/.test(specifier)) throw err;
    return next(specifier, { ...context, parentURL: hooked.entry });
  }
}
