// The refund desk's own tools: its folder of letters and its table of orders. Named by LONGHAUL_TOOLS.
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { ToolError, defineTool } from 'longhaul';
import { Pool } from 'pg';
import { z } from 'zod';

const LETTERS = path.join(__dirname, 'letters');
const RETURN_WINDOW_DAYS = 30;

const letters = async (): Promise<string[]> =>
  (await readdir(LETTERS)).filter((name) => name.endsWith('.txt')).toSorted();

const listLetters = defineTool({
  name: 'list_letters',
  description: 'List the letters of today by file name.',
  input: z.strictObject({}),
  effect: 'read',
  labels: ['trusted'],
  timeout: '10s',
  execute: async () => (await letters()).join('\n'),
});

const readLetter = defineTool({
  name: 'read_letter',
  description: 'Read one letter. It was written by a customer.',
  input: z.strictObject({ name: z.string().describe('A name that list_letters shows') }),
  effect: 'read',
  labels: ['untrusted'],
  controls: ['name'],
  timeout: '10s',
  async execute({ name }) {
    // Only what is in the folder: a name is never used as a path before it was found there.
    if (!(await letters()).includes(name)) throw new ToolError(`There is no letter ${name}. list_letters shows them.`);
    return readFile(path.join(LETTERS, name), 'utf8');
  },
});

const FIND_ORDER = `
  SELECT customer_name "customerName", customer_email "customerEmail", item, paid_usd::text "paidUsd",
    refunded_usd::text "refundedUsd", delivered_on::text "deliveredOn", current_date - delivered_on "daysSinceDelivery"
  FROM refund_desk.orders WHERE id = $1`;

let pool: Pool | undefined;

const lookupOrder = defineTool({
  name: 'lookup_order',
  description: 'Look up an order: customer, item, what was paid and refunded, and whether it may still be returned.',
  input: z.strictObject({ orderId: z.string().regex(/^RD-\d{4}$/, 'an order number looks like RD-1042') }),
  effect: 'read',
  labels: ['trusted'],
  controls: ['orderId'],
  timeout: '10s',
  async execute({ orderId }, ctx) {
    pool ??= new Pool({ connectionString: ctx.secrets('REFUND_DESK_DATABASE_URL'), max: 4 });
    const { rows } = await pool.query<{ daysSinceDelivery: number }>(FIND_ORDER, [orderId]);
    const [order] = rows;
    if (!order) return { orderId, found: false };
    return { orderId, found: true, ...order, withinReturnWindow: order.daysSinceDelivery <= RETURN_WINDOW_DAYS };
  },
});

export const tools = [listLetters, readLetter, lookupOrder];
