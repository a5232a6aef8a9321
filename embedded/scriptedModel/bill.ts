// What the calls would have cost: by conversation and turn, so that a reply that was paid twice shows.
import { costNanoUsd } from '../../providers/prices.js';
import type { Noted } from './journal.js';
import type { RawUsage } from './render.js';

export interface BilledTurn {
  script: string;
  conversation: string;
  turn: number;
  /** Replies sent to their end. */
  calls: number;
  /** Replies that were begun and not finished; their input is paid. */
  unfinished: number;
  usage: RawUsage;
  costUsd: number;
}

export interface Bill {
  /** Replies sent to their end. */
  calls: number;
  unfinished: number;
  /** Conversation and turn of replies that were paid more than once. */
  repeated: string[];
  usage: RawUsage;
  costUsd: number;
  turns: BilledTurn[];
}

const nothing = (): RawUsage => ({
  input_tokens: 0,
  output_tokens: 0,
  cache_read_input_tokens: 0,
  cache_creation_input_tokens: 0,
});

export class Ledger {
  private readonly turns = new Map<string, Omit<BilledTurn, 'costUsd'>>();

  charge({ script, conversation, turn, usage, status, announced }: Noted): void {
    if (!usage) return;
    const key = `${script} ${conversation} turn ${turn}`;
    const billed = this.turns.get(key) ?? { script, conversation, turn, calls: 0, unfinished: 0, usage: nothing() };
    this.turns.set(key, billed);
    const answered = status === 'answered';
    billed[answered ? 'calls' : 'unfinished'] += 1;
    add(billed.usage, answered || announced ? usage : { ...usage, output_tokens: 1 }); // as message_start had announced it
  }

  read(script?: string): Bill {
    const bill: Bill = { calls: 0, unfinished: 0, repeated: [], usage: nothing(), costUsd: 0, turns: [] };
    for (const [key, turn] of this.turns) {
      if (script !== undefined && turn.script !== script) continue;
      const costUsd = costOf(turn.usage);
      bill.turns.push({ ...turn, costUsd });
      bill.calls += turn.calls;
      bill.unfinished += turn.unfinished;
      bill.costUsd += costUsd;
      add(bill.usage, turn.usage);
      if (turn.calls > 1) bill.repeated.push(key);
    }
    return bill;
  }

  clear(): void {
    this.turns.clear();
  }
}

function add(to: RawUsage, usage: RawUsage): void {
  for (const field of Object.keys(to) as (keyof RawUsage)[]) to[field] += usage[field];
}

/** By the product's own price list. */
const costOf = (usage: RawUsage): number =>
  costNanoUsd('scripted/', {
    inputTokens: usage.input_tokens,
    outputTokens: usage.output_tokens,
    cacheReadTokens: usage.cache_read_input_tokens,
    cacheWriteTokens: usage.cache_creation_input_tokens,
  }) / 1e9;
