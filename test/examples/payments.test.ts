// The refund desk's payment service: one refund per key, whatever is sent again and whenever it dies.
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { type Payments, startPayments } from '../../examples/refund-desk/payments.js';
import { signBody } from '../../tools/httpSignature.js';

const SECRET = 'a key that is shared with the worker';
let folder: string;
let ledgerFile: string;
let payments: Payments;

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'payments-'));
  ledgerFile = path.join(folder, 'refunds.jsonl');
  payments = await startPayments({ ledgerFile, secret: SECRET });
});
afterEach(async () => {
  await payments.close();
  rmSync(folder, { recursive: true });
});

const bodyOf = (amountUsd: unknown, orderId = 'RD-1042'): string =>
  JSON.stringify({ arguments: { orderId, amountUsd }, runId: 'run_1', step: 5, toolCallId: 'toolu_1', agent: 'desk' });

async function refund(body: string, { key = 'run_1:toolu_1', signature = signBody(SECRET, body) } = {}) {
  const response = await fetch(`${payments.url}/refund`, {
    method: 'POST',
    headers: { 'idempotency-key': key, 'longhaul-signature': signature },
    body,
  });
  return {
    status: response.status,
    headers: response.headers,
    body: z.record(z.string(), z.string()).parse(await response.json()),
  };
}

const get = async (pathname: string): Promise<unknown> => (await fetch(`${payments.url}${pathname}`)).json();
const post = (pathname: string): Promise<Response> => fetch(`${payments.url}${pathname}`, { method: 'POST' });
const ledgerShape = z.object({ entries: z.array(z.object({ orderId: z.string(), requests: z.number() })) });
const ledger = async () => ledgerShape.parse(await get('/ledger')).entries;
const isHeld = async () => z.object({ held: z.unknown() }).parse(await get('/_demo/hold')).held !== null;

async function restart(): Promise<void> {
  await payments.close();
  payments = await startPayments({ ledgerFile, secret: SECRET });
}

test('the same key and body are answered twice and paid once', async () => {
  const first = await refund(bodyOf(18.5));
  const second = await refund(bodyOf(18.5));
  expect(first).toMatchObject({ status: 200, body: { orderId: 'RD-1042', amountUsd: '18.50', status: 'paid' } });
  expect(second.body).toEqual(first.body);
  expect(second.headers.get('idempotency-replayed')).toBe('true');
  expect(await ledger()).toMatchObject([{ orderId: 'RD-1042', requests: 2 }]);
});

test('ten requests with one key at once make one refund', async () => {
  const answers = await Promise.all(Array.from({ length: 10 }, () => refund(bodyOf(18.5))));
  expect(new Set(answers.map((a) => a.body['refundId'])).size).toBe(1);
  expect(await ledger()).toHaveLength(1);
});

test('the same key with another body is refused and nothing is paid', async () => {
  await refund(bodyOf(18.5));
  expect(await refund(bodyOf(1850))).toMatchObject({ status: 409 });
  expect(await ledger()).toHaveLength(1);
});

test('another key is another refund', async () => {
  await refund(bodyOf(18.5));
  await refund(bodyOf(18.5), { key: 'run_1:toolu_2' });
  expect(await ledger()).toHaveLength(2);
});

test.each([
  ['made with another key', () => signBody('another key', bodyOf(18.5))],
  ['of another body', () => signBody(SECRET, bodyOf(19))],
  ['six minutes old', () => signBody(SECRET, bodyOf(18.5), Date.now() - 360_000)],
  ['that is none', () => 'v1=yes'],
])('a signature %s is refused', async (_, signature) => {
  expect(await refund(bodyOf(18.5), { signature: signature() })).toMatchObject({ status: 401 });
  expect(await ledger()).toEqual([]);
});

test.each([0, -5, 10.005, 'ten', undefined])('an amount of %p is refused', async (amount) => {
  expect(await refund(bodyOf(amount))).toMatchObject({ status: 400 });
  expect(await ledger()).toEqual([]);
});

test('a restarted service gives the stored answer', async () => {
  const first = await refund(bodyOf(18.5));
  await restart();
  expect((await refund(bodyOf(18.5))).body).toEqual(first.body);
  expect(await ledger()).toHaveLength(1);
});

test('a line that was cut off by a crash is no refund, and the next one is written whole', async () => {
  await refund(bodyOf(18.5));
  appendFileSync(ledgerFile, '{"refundId":"re_cut","idempo');
  await restart();
  await refund(bodyOf(20), { key: 'run_1:toolu_2' });
  await restart();
  expect((await ledger()).map((e) => e.orderId)).toEqual(['RD-1042', 'RD-1042']);
});

test('a held refund is in the ledger on disk and its sender has no answer', async () => {
  await post('/_demo/hold');
  let answered = false;
  const first = refund(bodyOf(18.5)).then((answer) => ((answered = true), answer));
  while (!(await isHeld()));
  expect(readFileSync(ledgerFile, 'utf8')).toContain('"orderId":"RD-1042"');
  expect(answered).toBe(false);

  const again = await refund(bodyOf(18.5)); // what a second worker sends
  await post('/_demo/release');
  expect((await first).body).toEqual(again.body);
  expect(await ledger()).toMatchObject([{ requests: 2 }]);
});
