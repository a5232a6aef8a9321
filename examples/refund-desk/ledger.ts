// The payment service's ledger: one line per refund, on disk before anybody is told, one refund per idempotency key.
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';

export const ledgerEntry = z.object({
  refundId: z.string(),
  idempotencyKey: z.string(),
  /** SHA-256 of the request's body: the same key may not come with another one. */
  bodyHash: z.string(),
  orderId: z.string(),
  amountUsd: z.number(),
  runId: z.string(),
  at: z.string(),
});
export type LedgerEntry = z.infer<typeof ledgerEntry>;

export class Ledger {
  private readonly byKey: Map<string, LedgerEntry>;
  private readonly fd: number;

  constructor(file: string) {
    mkdirSync(path.dirname(file), { recursive: true });
    this.fd = openSync(file, 'a+');
    this.byKey = new Map(readEntries(file).map((entry) => [entry.idempotencyKey, entry]));
  }

  find(idempotencyKey: string): LedgerEntry | undefined {
    return this.byKey.get(idempotencyKey);
  }

  /** Written and flushed when this returns. Synchronous, so two requests with one key cannot both get here. */
  append(entry: LedgerEntry): void {
    writeSync(this.fd, `${JSON.stringify(entry)}\n`);
    fsyncSync(this.fd);
    this.byKey.set(entry.idempotencyKey, entry);
  }

  entries(): LedgerEntry[] {
    return [...this.byKey.values()];
  }

  close(): void {
    closeSync(this.fd);
  }
}

/** A last line without its end was being written when the process died: nobody was told of it, so it is dropped. */
function readEntries(file: string): LedgerEntry[] {
  const text = readFileSync(file, 'utf8');
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  if (whole.length < text.length) truncateSync(file, Buffer.byteLength(whole));
  return whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => ledgerEntry.parse(JSON.parse(line)));
}
