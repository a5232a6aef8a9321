// How an HTTP tool's calls are signed, and how a service that receives them checks that.
import { createHmac, timingSafeEqual } from 'node:crypto';

/** `t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">` */
export function signBody(secret: string, body: string, nowMs = Date.now()): string {
  const t = Math.floor(nowMs / 1000);
  return `t=${t},v1=${hmac(secret, `${t}.`, body)}`;
}

/** Checks a signature that is at most `maxAgeSeconds` old. For services that receive HTTP tools' calls. */
export function verifySignature(
  secret: string,
  header: string | undefined,
  body: string | Uint8Array,
  { nowMs = Date.now(), maxAgeSeconds = 300 } = {},
): boolean {
  const match = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(header ?? '');
  if (!match || Math.abs(nowMs / 1000 - Number(match[1])) > maxAgeSeconds) return false;
  const expected = hmac(secret, `${match[1]}.`, body);
  return timingSafeEqual(Buffer.from(expected), Buffer.from(match[2] as string));
}

const hmac = (secret: string, time: string, body: string | Uint8Array): string =>
  createHmac('sha256', secret).update(time).update(body).digest('hex');
