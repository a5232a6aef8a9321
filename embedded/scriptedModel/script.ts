// The script of a scripted model: what it answers, turn by turn, under which conditions, and with which faults.
import { parse } from 'yaml';
import { z } from 'zod';

const block = z.union([
  z.strictObject({ text: z.string() }),
  z.strictObject({ thinking: z.string() }),
  z.strictObject({ tool: z.string(), input: z.record(z.string(), z.unknown()).default({}), id: z.string().optional() }),
  /** Sent as it is: for replies that no honest model would give. */
  z.strictObject({ block: z.looseObject({ type: z.string() }) }),
]);
export type ReplyBlock = z.infer<typeof block>;

/** All given must hold. A text in slashes is a regular expression. */
const condition = z.strictObject({
  lastUserContains: z.string().optional(),
  systemContains: z.string().optional(),
  anyMessageContains: z.string().optional(),
  /** The last result of this tool. */
  toolResult: z
    .strictObject({ tool: z.string(), contains: z.string().optional(), isError: z.boolean().optional() })
    .optional(),
});
export type Condition = z.infer<typeof condition>;

const fault = z.strictObject({
  kind: z.enum(['status', 'errorEvent', 'cut', 'noStop', 'stall', 'garbage', 'badJson']),
  /** For `status`. */
  status: z.int().min(400).max(599).default(529),
  /** The error's `type`, and for spend limits its code. */
  type: z.string().optional(),
  code: z.string().optional(),
  message: z.string().default('a scripted fault'),
  /** Seconds. */
  retryAfter: z.number().optional(),
  shouldRetry: z.boolean().optional(),
  /** For `cut`, `garbage` and `errorEvent`: after this many events of the stream. */
  afterEvents: z.int().min(0).default(3),
  /** How often it happens before the turn is answered; per conversation. */
  times: z.union([z.int().min(1), z.literal('always')]).default(1),
});
export type Fault = z.infer<typeof fault>;

/** Where a request waits until it is released. */
export const holdPoint = z.enum(['before', 'afterFirstDelta', 'beforeStop']);
export type HoldPoint = z.infer<typeof holdPoint>;

const answer = z.strictObject({
  when: condition.optional(),
  /** Must hold, else the server answers 400 and says why: for tests of what the model was shown. */
  expect: condition.optional(),
  reply: z.array(block).default([]),
  stopReason: z.string().optional(),
  usage: z
    .strictObject({ inputTokens: z.int(), outputTokens: z.int(), cacheReadTokens: z.int(), cacheWriteTokens: z.int() })
    .partial()
    .optional(),
  delayMs: z.int().min(0).default(0),
  /** Between two pieces of text, to look like a model that writes. */
  chunkDelayMs: z.int().min(0).default(0),
  fault: fault.optional(),
  hold: z.strictObject({ at: holdPoint.default('before'), name: z.string() }).optional(),
});
export type Answer = z.infer<typeof answer>;

const turn = z.union([
  answer.extend({ times: z.int().min(1).default(1) }),
  /** The first answer whose `when` holds. */
  z.strictObject({ cases: z.array(answer).min(1), times: z.int().min(1).default(1) }),
]);

export const script = z.strictObject({
  name: z.string().regex(/^[a-zA-Z0-9_.-]{1,100}$/, 'letters, digits, _ . -'),
  /** Tokens that the model can be shown, and that it can write. */
  window: z.int().min(100).default(200_000),
  maxOutput: z.int().min(1).default(64_000),
  /** Which turn: the number of replies that the request shows already. So the same request gets the same answer. */
  turns: z.array(turn),
});
export type Script = z.infer<typeof script>;

/** Throws naming file and place. */
export function parseScript(text: string, where: string): Script {
  let value: unknown;
  try {
    value = parse(text);
  } catch (err) {
    throw new Error(`${where}: ${(err as Error).message}`, { cause: err });
  }
  const parsed = script.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Error(`${where}: ${issue?.path.join('.') || 'script'}: ${issue?.message}`);
}

/** The answers to choose from at this turn, or undefined when the script is over. */
export function answersAt(from: Script, turnIndex: number): readonly Answer[] | undefined {
  let first = 0;
  for (const entry of from.turns) {
    if (turnIndex < first + entry.times) return 'cases' in entry ? entry.cases : [entry];
    first += entry.times;
  }
  return undefined;
}
