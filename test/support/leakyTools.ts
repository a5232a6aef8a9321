// A user's module whose tools are careless with what they know.
import { readFileSync } from 'node:fs';
import { defineTool } from 'longhaul';
import { z } from 'zod';

/** What the test has planted, in all its spellings: known to this tool as a careless service would know it. */
const planted = (): string => readFileSync(process.env['LEAKY_FILE'] as string, 'utf8');

export const tools = [
  defineTool({
    name: 'tell',
    description: 'returns what it should not',
    input: z.object({}),
    effect: 'read',
    execute: async (_args, ctx) => {
      ctx.log.info({ config: planted() }, planted());
      return planted();
    },
  }),
  defineTool({
    name: 'trip',
    description: 'fails with what it should not say',
    input: z.object({}),
    effect: 'idempotent',
    execute: async () => {
      throw new Error(planted().slice(0, 4000));
    },
  }),
  defineTool({
    name: 'take',
    description: 'takes a text and sends it away',
    input: z.object({ text: z.string() }),
    effect: 'idempotent',
    external: true,
    execute: async ({ text }, ctx) => {
      ctx.log.info({ taken: text }, 'taken');
      return 'sent away';
    },
  }),
];
