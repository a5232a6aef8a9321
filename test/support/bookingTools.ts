// A user's module with a tool that can be taken back; what it did and took back stands in a file.
import { appendFileSync } from 'node:fs';
import { defineTool } from 'longhaul';
import { z } from 'zod';

const note = (line: object): void =>
  appendFileSync(process.env['BOOKINGS_FILE'] as string, `${JSON.stringify(line)}\n`);

export const tools = [
  defineTool({
    name: 'reserve',
    description: 'Reserve a table.',
    input: z.object({ table: z.string() }),
    effect: 'idempotent',
    execute({ table }, { idempotencyKey }) {
      note({ did: 'reserve', table, key: idempotencyKey });
      return { reservation: `res-${table}` };
    },
    compensate({ arguments: args, result }, { idempotencyKey }) {
      note({ did: 'cancel', args, result, key: idempotencyKey });
      return 'cancelled';
    },
  }),
];
