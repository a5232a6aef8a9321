// A user's module whose tools kill the process that runs them, as a native crash or the kernel would.
import { defineTool } from 'longhaul';
import { z } from 'zod';

const die = async (): Promise<never> => {
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => undefined);
};

export const tools = [
  defineTool({
    name: 'poison',
    description: 'kills its worker',
    input: z.object({}),
    effect: 'idempotent',
    execute: die,
  }),
  defineTool({
    name: 'peek',
    description: 'kills its worker while it reads',
    input: z.object({}),
    effect: 'read',
    execute: die,
  }),
];
