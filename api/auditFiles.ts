// What the audit keeps outside of the database, in the data folder: its key, and the last checkpoint that was signed here.
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type AuditKey, auditKeyOf, newAuditSecret } from '../harness/log/auditKey.js';

export interface SignedLast {
  number: number;
  hash: string;
}

/** Who can write to the database cannot write here: what it says shows that the newest checkpoints were dropped. */
export interface AuditAnchor {
  last(tenantId: string): SignedLast | undefined;
  remember(tenantId: string, signed: SignedLast): void;
}

/** The key of the environment, else the one of the data folder, else a new one that is kept there. */
export function keepAuditKey(dataDir: string, secret: string | undefined): AuditKey {
  const file = path.join(dataDir, 'audit-key');
  const text = secret ?? read(file) ?? makeSecret(file);
  const key = auditKeyOf(text);
  if (!key) throw new Error(`${file} holds no key: 32 bytes in hex or base64 (openssl rand -base64 32)`);
  mkdirSync(dataDir, { recursive: true });
  writeWhole(`${file}.pub`, `${key.publicKey}\n`, 0o644);
  return key;
}

/** Of two processes that start at once on one folder, both take the key of the first. */
function makeSecret(file: string): string {
  mkdirSync(path.dirname(file), { recursive: true });
  const own = `${file}.${process.pid}`;
  writeFileSync(own, `${newAuditSecret()}\n`, { mode: 0o600 });
  try {
    linkSync(own, file);
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'EEXIST') throw err;
  } finally {
    rmSync(own, { force: true });
  }
  return readFileSync(file, 'utf8');
}

export function keepAnchor(dataDir: string): AuditAnchor {
  const file = path.join(dataDir, 'audit-anchor.json');
  const known = new Map(Object.entries(JSON.parse(read(file) ?? '{}') as Record<string, SignedLast>));
  return {
    last: (tenantId) => known.get(tenantId),
    remember(tenantId, { number, hash }) {
      if ((known.get(tenantId)?.number ?? 0) >= number) return;
      known.set(tenantId, { number, hash });
      writeWhole(file, `${JSON.stringify(Object.fromEntries(known))}\n`, 0o600);
    },
  };
}

function writeWhole(file: string, text: string, mode: number): void {
  const own = `${file}.${process.pid}`;
  writeFileSync(own, text, { mode });
  renameSync(own, file);
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw err;
  }
}
