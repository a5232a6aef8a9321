// The key that signs checkpoints and exports: Ed25519, made from 32 secret bytes.
import { type KeyObject, createPrivateKey, createPublicKey, randomBytes, sign, verify } from 'node:crypto';

export interface AuditKey {
  /** `ed25519:` and 43 characters of base64url; names the key. */
  publicKey: string;
  sign(text: string): string;
}

const BYTES = 32;
const PUBLIC = /^ed25519:[\w-]{43}$/;
/** DER of a PKCS #8 private key (RFC 8410) up to its 32 bytes. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

export const newAuditSecret = (): string => randomBytes(BYTES).toString('base64url');

/** From 32 bytes in hex, base64 or base64url. Undefined: it is none of them. */
export function auditKeyOf(secret: string): AuditKey | undefined {
  const seed = bytesOf(secret.trim());
  if (!seed) return undefined;
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' });
  const { x } = createPublicKey(key).export({ format: 'jwk' });
  return {
    publicKey: `ed25519:${x}`,
    sign: (text) => sign(null, Buffer.from(text, 'utf8'), key).toString('base64url'),
  };
}

function bytesOf(text: string): Buffer | undefined {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Buffer.from(text, 'hex');
  if (!/^[\w+/-]{43}=?$/.test(text)) return undefined;
  return Buffer.from(text, 'base64url');
}

export const isPublicKey = (text: string): boolean => PUBLIC.test(text);

/** False also for a key or a signature that is none. */
export function isSignedBy(publicKey: string, text: string, signature: string): boolean {
  const key = publicKeyObject(publicKey);
  const bytes = Buffer.from(signature, 'base64url');
  // One spelling each: a character that decoding would ignore is a change as well.
  if (!key || bytes.toString('base64url') !== signature) return false;
  return verify(null, Buffer.from(text, 'utf8'), key, bytes);
}

function publicKeyObject(text: string): KeyObject | undefined {
  if (!isPublicKey(text)) return undefined;
  const x = text.slice('ed25519:'.length);
  if (Buffer.from(x, 'base64url').toString('base64url') !== x) return undefined;
  try {
    return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  } catch {
    return undefined;
  }
}
