// The hash chain of a run's events: hash = SHA-256(previous hash ‖ canonical JSON of the event).
import { GENESIS_HASH, type NewEvent, type RunEvent } from '../../contracts/events.js';
import { canonicalJson, sha256Hex } from '../canonical.js';

export interface ChainHead {
  seq: number;
  hash: string;
}

export const emptyChain: ChainHead = { seq: 0, hash: GENESIS_HASH };

function hashOf(agentRunId: string, event: Omit<RunEvent, 'hash' | 'prevHash'>, prevHash: string): string {
  const { seq, type, at, actor, step, toolCallId, data } = event;
  const fact = {
    agentRunId,
    seq,
    type,
    at,
    actor,
    data,
    ...(step === undefined ? {} : { step }),
    ...(toolCallId === undefined ? {} : { toolCallId }),
  };
  return sha256Hex(prevHash + canonicalJson(fact));
}

/** Numbers and hashes new events onto a chain. `at` is RFC 3339 with milliseconds. */
export function chainEvents(agentRunId: string, head: ChainHead, events: readonly NewEvent[], at: string): RunEvent[] {
  const chained: RunEvent[] = [];
  let { seq, hash: prevHash } = head;
  for (const event of events) {
    seq += 1;
    const numbered = { ...event, seq, at };
    const hash = hashOf(agentRunId, numbered, prevHash);
    chained.push({ ...numbered, prevHash, hash });
    prevHash = hash;
  }
  return chained;
}

export type ChainCheck = { ok: true; head: ChainHead } | { ok: false; seq: number; problem: string };

/** Checks that events follow `head` without a gap and hash to what they say; names the first bad one. */
export function checkChain(agentRunId: string, events: Iterable<RunEvent>, head: ChainHead = emptyChain): ChainCheck {
  let { seq, hash: prevHash } = head;
  for (const event of events) {
    if (event.seq !== seq + 1) return { ok: false, seq: event.seq, problem: `expected event ${seq + 1}` };
    if (event.prevHash !== prevHash) return { ok: false, seq: event.seq, problem: 'does not follow the event before' };
    if (hashOf(agentRunId, event, prevHash) !== event.hash) {
      return { ok: false, seq: event.seq, problem: 'was changed: its hash does not match' };
    }
    seq = event.seq;
    prevHash = event.hash;
  }
  return { ok: true, head: { seq, hash: prevHash } };
}
