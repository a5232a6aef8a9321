// The run that is killed again and again: every kind of step, as often as its length allows.
import type { Decision } from '../../contracts/decisions.js';
import type { ScriptInput } from '../../embedded/scriptedModel/client.js';

export type ToolName = 'look' | 'charge' | 'wire' | 'launch';

interface StepPlan {
  tools: readonly ToolName[];
  /** A person is asked before the first call, and says this. */
  asks?: Extract<Decision, 'approve' | 'reject' | 'edit'>;
  /** They also say something to the model before they decide. */
  message?: true;
}

/** Repeats until the run is long enough: alone and in parallel, of every effect, with a person. */
const PATTERN: readonly StepPlan[] = [
  { tools: ['look'] },
  { tools: ['charge'] },
  { tools: ['charge', 'launch'] },
  { tools: ['charge'], asks: 'approve', message: true },
  { tools: ['wire'] },
  { tools: ['look', 'look'] },
  { tools: ['launch'] },
  { tools: ['charge', 'wire'], asks: 'reject' },
  { tools: ['look', 'wire'] },
  { tools: ['launch'], asks: 'edit' },
];
export const PATTERN_LENGTH = PATTERN.length;

const planOf = (step: number): StepPlan => PATTERN[(step - 1) % PATTERN.length] as StepPlan;

/** What a person does when the run asks in this step. */
export function answerTo(step: number): { decision: Decision; edited?: Record<string, unknown>; message?: string } {
  const { asks = 'approve', message } = planOf(step);
  return {
    decision: asks,
    ...(asks === 'edit' ? { edited: { what: `edited${step}.0` } } : {}),
    ...(message ? { message: `A word about step ${step}.` } : {}),
  };
}

/** All runs say and answer the same. Ids of calls are the same in all of them, so that a place has one name. */
export function scriptOf(name: string, steps: number): ScriptInput {
  // The same for a reply that is asked for again: what the prompt cache saves is not what is looked at here.
  const usage = { inputTokens: 100, outputTokens: 10, cacheReadTokens: 0, cacheWriteTokens: 0 };
  const turns = Array.from({ length: steps }, (_, i) => {
    const { tools, asks } = planOf(i + 1);
    const call = (tool: ToolName, n: number) => ({
      tool,
      id: `toolu_${i + 1}_${n}`,
      input: { what: `${asks && n === 0 ? 'ask' : 's'}${i + 1}.${n}` },
    });
    return { usage, reply: [{ text: `Step ${i + 1} comes now.` }, ...tools.map(call)] };
  });
  return { name, window: 10_000_000, turns: [...turns, { usage, reply: [{ text: `All ${steps} steps are done.` }] }] };
}

export const INPUT = 'Do everything, once.';

/** An agent, and so a script, for each run: what is held is held for one run. */
export function agentOf(name: string, steps: number, sinkUrl: string): { name: string } & Record<string, unknown> {
  const tool = (verb: ToolName, effect: string, more: Record<string, string> = {}) => ({
    name: verb,
    description: `${verb} something`,
    input: {
      type: 'object',
      properties: { what: { type: 'string' } },
      required: ['what'],
      additionalProperties: false,
    },
    effect,
    labels: ['trusted'],
    controls: ['what'],
    timeout: '60s',
    http: { url: `${sinkUrl}/${verb}`, ...more },
  });
  return {
    name,
    model: `scripted/${name}`,
    instructions: 'You are killed again and again. Go on.',
    tools: [
      tool('look', 'read'),
      tool('charge', 'idempotent'),
      tool('wire', 'reconcilable', { reconcileUrl: `${sinkUrl}/wire` }),
      tool('launch', 'irreversible'),
    ],
    policy: { default: false, rules: [{ id: 'all', effect: 'allow', when: 'true' }] },
    approve: [{ when: 'arguments.what.startsWith("ask")' }],
    limits: {
      maxSteps: steps + 10,
      maxToolCalls: steps * 4,
      maxTokens: 1_000_000_000,
      maxCostUsd: '100000.00',
      deadline: '7d',
    },
  };
}
