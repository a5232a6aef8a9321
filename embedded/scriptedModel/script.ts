// The script of a scripted model: what it answers, turn by turn, under which conditions, and with which faults.
import { parse } from 'yaml';
import { z } from 'zod';
import { placeOf } from './scriptErrors.js';

const block = z.union(
  [
    z.strictObject({ text: z.string() }),
    /** Signed by the server unless a signature is given. */
    z.strictObject({ thinking: z.string(), signature: z.string().optional() }),
    z.strictObject({
      tool: z.string(),
      input: z.record(z.string(), z.unknown()).default({}),
      id: z.string().optional(),
    }),
    /** Sent as it is: for replies that no honest model would give. */
    z.strictObject({ block: z.looseObject({ type: z.string() }) }),
  ],
  { error: 'a block is one of {text}, {thinking, signature?}, {tool, input?, id?}, {block}' },
);
export type ReplyBlock = z.infer<typeof block>;

/** A text in slashes is a regular expression. */
export function patternOf(wanted: string): RegExp | undefined {
  const parts = /^\/(.+)\/([a-z]*)$/s.exec(wanted);
  return parts ? new RegExp(parts[1] as string, parts[2]) : undefined;
}

const wanted = z.string().superRefine((text, context) => {
  try {
    patternOf(text);
  } catch (err) {
    context.addIssue({ code: 'custom', message: (err as Error).message });
  }
});

/** All given must hold. */
const condition = z.strictObject({
  lastUserContains: wanted.optional(),
  systemContains: wanted.optional(),
  anyMessageContains: wanted.optional(),
  /** The last result of this tool. */
  toolResult: z
    .strictObject({ tool: z.string(), contains: wanted.optional(), isError: z.boolean().optional() })
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
  /** More headers of a `status`, for example those of rate limits. */
  headers: z.record(z.string(), z.string()).default({}),
  /** For `cut`, `garbage`, `stall` and `errorEvent`: after this many events, or inside of the first tool's input. */
  afterEvents: z.union([z.int().min(0), z.literal('toolInput')]).default(3),
  /** For `cut`: after this many bytes of the stream, wherever that is. */
  afterBytes: z.int().min(0).optional(),
  /** For `stall`: milliseconds, after which the stream goes on. Default: until the client goes. */
  forMs: z.int().min(0).optional(),
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
  /** Length of a piece, in characters. */
  chunkChars: z.int().min(1).default(24),
  fault: fault.optional(),
  hold: z.strictObject({ at: holdPoint.default('before'), name: z.string() }).optional(),
});
export type Answer = z.infer<typeof answer>;

const times = z.union([z.int().min(1), z.literal('forever')]).default(1);

/** The first answer whose `when` holds. */
const cases = z.strictObject({ cases: z.array(answer).min(1), times });
const single = answer.extend({ times });
/** Turns that follow each other, again and again: a long run in a short file. */
const group = z.strictObject({ turns: z.array(z.union([cases, single])).min(1), times });
const turn = z.union([group, cases, single]);

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
  if (parsed.success && !answersOf(parsed.data.turns).some(breaksNoTool)) return parsed.data;
  if (parsed.success) throw new Error(`${where}: fault: a broken tool input needs a tool in the reply`);
  throw new Error(`${where}: ${placeOf(parsed.error, value)}`);
}

type Turn = Script['turns'][number];

const answersOf = (turns: readonly Turn[]): readonly Answer[] =>
  turns.flatMap((t) => ('turns' in t ? answersOf(t.turns) : 'cases' in t ? t.cases : [t]));

const breaksNoTool = ({ fault: broken, reply }: Answer): boolean =>
  (broken?.kind === 'badJson' || broken?.afterEvents === 'toolInput') && !reply.some((b) => 'tool' in b);

/** The answers to choose from at this turn, or undefined when the script is over. */
export const answersAt = (from: Script, turnIndex: number): readonly Answer[] | undefined =>
  answersIn(from.turns, turnIndex);

function answersIn(turns: readonly Turn[], turnIndex: number): readonly Answer[] | undefined {
  let first = 0;
  for (const entry of turns) {
    const length = 'turns' in entry ? lengthOf(entry.turns) : 1;
    const repeats = entry.times === 'forever' ? Infinity : entry.times;
    if (turnIndex < first + length * repeats) {
      if ('turns' in entry) return answersIn(entry.turns, (turnIndex - first) % length);
      return 'cases' in entry ? entry.cases : [entry];
    }
    first += length * repeats;
  }
  return undefined;
}

const lengthOf = (turns: readonly Turn[]): number =>
  turns.reduce((sum, t) => sum + (t.times === 'forever' ? Infinity : t.times), 0);
