// The run that is killed again and again: every kind of step, as often as its length allows.
import type { ScriptInput } from '../../embedded/scriptedModel/client.js';

export type ToolName = 'look' | 'charge' | 'wire' | 'launch';

export interface ScenarioCall {
  tool: ToolName;
  /** Argument of the call and, with its step, its name in the sink's ledger. */
  what: string;
}

export interface Scenario {
  name: string;
  /** Of each step, from the first; the last one, without calls, ends the run. */
  steps: readonly (readonly ScenarioCall[])[];
  /** Steps in which a person is asked. */
  asks: ReadonlySet<number>;
  /** Steps in which a person says something. */
  messages: ReadonlySet<number>;
}

/** Repeats until the run is long enough: alone, in parallel, of every effect, with a person. */
const PATTERN: readonly { tools: readonly ToolName[]; ask?: true; message?: true }[] = [
  { tools: ['look'] },
  { tools: ['charge'] },
  { tools: ['look', 'charge', 'launch'] },
  { tools: ['charge'], ask: true },
  { tools: ['wire'] },
  { tools: ['look', 'look'] },
  { tools: ['launch'] },
  { tools: ['charge'], message: true },
];
export const PATTERN_LENGTH = PATTERN.length;

/** `length` steps that call tools, and one that ends the run. */
export function scenarioOf(length: number): Scenario {
  const asks = new Set<number>();
  const messages = new Set<number>();
  const steps = Array.from({ length }, (_, i) => {
    const { tools, ask, message } = PATTERN[i % PATTERN.length] as (typeof PATTERN)[number];
    if (ask) asks.add(i + 1);
    if (message) messages.add(i + 1);
    return tools.map((tool, n) => ({ tool, what: `${ask ? 'ask' : 's'}${i + 1}.${n}` }));
  });
  return { name: 'crash-matrix', steps, asks, messages };
}

export const scriptOf = ({ name, steps }: Scenario): ScriptInput => ({
  name,
  window: 10_000_000,
  turns: [
    ...steps.map((calls) => ({ reply: calls.map(({ tool, what }) => ({ tool, input: { what } })) })),
    { reply: [{ text: 'All done.' }] },
  ],
});

export function agentOf({ name, steps }: Scenario, sinkUrl: string): { name: string } & Record<string, unknown> {
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
    timeout: '30s',
    http: { url: `${sinkUrl}/${verb}`, ...more },
  });
  return {
    name,
    model: `scripted/${name}`,
    instructions: 'Do everything, once.',
    tools: [
      tool('look', 'read'),
      tool('charge', 'idempotent'),
      tool('wire', 'reconcilable', { reconcileUrl: `${sinkUrl}/wire` }),
      tool('launch', 'irreversible'),
    ],
    approve: [{ tool: 'charge', when: 'arguments.what.startsWith("ask")' }],
    limits: {
      maxSteps: steps.length + 10,
      maxToolCalls: steps.length * 4,
      maxTokens: 1_000_000_000,
      maxCostUsd: '100000.00',
      deadline: '7d',
    },
  };
}
