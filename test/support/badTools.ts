// A user's module of tools that no user would want: they do not return, return too much, or let nothing else run.
import { defineTool } from 'longhaul';
import { z } from 'zod';

const input = z.object({});

export const tools = [
  defineTool({
    name: 'hang',
    description: 'never returns',
    input,
    effect: 'irreversible',
    timeout: '1s',
    execute: () => new Promise(() => undefined),
  }),
  defineTool({
    name: 'flood',
    description: 'returns 100 MB',
    input,
    effect: 'read',
    execute: async () => 'x'.repeat(100 * 1024 * 1024),
  }),
  defineTool({
    name: 'spin',
    description: 'never gives way',
    input,
    effect: 'idempotent',
    async execute() {
      for (;;);
    },
  }),
];
