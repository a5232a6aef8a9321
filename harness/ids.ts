// Identifiers: sortable by time where a list is, derived where a second attempt must find the first.
import { randomBytes } from 'node:crypto';
import { sha256Hex } from './canonical.js';

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'; // Crockford's base 32: no I, L, O, U

function base32(value: bigint, length: number): string {
  let rest = value;
  let text = '';
  for (let i = 0; i < length; i++) {
    text = (ALPHABET[Number(rest & 31n)] as string) + text;
    rest >>= 5n;
  }
  return text;
}

/** 48 bits of time and 80 random ones, 26 characters (a ULID). */
function ulid(nowMs: number): string {
  const random = BigInt(`0x${randomBytes(10).toString('hex')}`);
  return base32(BigInt(nowMs), 10) + base32(random, 16);
}

/** No 0, O, 1, I, L: it is read aloud and typed. */
const CODE_LETTERS = '23456789ABCDEFGHJKMNPQRSTVWXYZ';
export const newCode = (length: number): string =>
  [...randomBytes(length * 2)]
    .filter((byte) => byte < 240)
    .slice(0, length)
    .map((byte) => CODE_LETTERS[byte % CODE_LETTERS.length] as string)
    .join('')
    .padEnd(length, '2');

export const newRunId = (nowMs = Date.now()): string => `run_${ulid(nowMs)}`;
export const newMessageId = (nowMs = Date.now()): string => `msg_${ulid(nowMs)}`;
export const newKeyId = (nowMs = Date.now()): string => `key_${ulid(nowMs)}`;
export const newWorkerId = (nowMs = Date.now()): string => `wrk_${ulid(nowMs)}`;

/** Of a message whose sender may repeat it: the same key means the same message. */
export const messageIdOf = (agentRunId: string, idempotencyKey: string): string =>
  `msg_${derived(`${agentRunId}:message:${idempotencyKey}`)}`;

/** The same in every attempt of a call, and different for every other call. */
export const idempotencyKeyOf = (agentRunId: string, toolCallId: string): string => `${agentRunId}:${toolCallId}`;

/** Of taking that call back. */
export const undoKeyOf = (agentRunId: string, toolCallId: string): string =>
  `${idempotencyKeyOf(agentRunId, toolCallId)}:undo`;

/** The same for every attempt, so a question is asked once. */
export const approvalIdOf = (agentRunId: string, toolCallId: string): string =>
  derivedApprovalId(`${agentRunId}:${toolCallId}`);

/** Of the question what became of a call, which may be asked once per doubt. */
export const outcomeQuestionIdOf = (agentRunId: string, toolCallId: string, round: number): string =>
  derivedApprovalId(`${agentRunId}:${toolCallId}:outcome:${round}`);

/** Of the wait for whoever executes a call in our place. */
export const clientCallIdOf = (agentRunId: string, toolCallId: string): string =>
  derivedApprovalId(`${agentRunId}:${toolCallId}:client`);

const derivedApprovalId = (text: string): string => `apr_${derived(text)}`;
const derived = (text: string): string => base32(BigInt(`0x${sha256Hex(text).slice(0, 32)}`), 26);
